#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients (libnbd's tools, qemu-img, qemu-io) against the NBD server, with its exports in memory.

The server is tests/tools/nbd_memory of the build folder $VMABACKUP_BUILD. Exits 77 if a client is missing.
"""
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

SERVER = pathlib.Path(os.environ.get("VMABACKUP_BUILD", "build/dev")) / "tests" / "nbd_memory"
CLIENTS = ["nbdinfo", "nbdcopy", "qemu-img", "qemu-io"]
DEADLINE_S = 120
MIB = 1 << 20
ODD = 5 * MIB + 513


class Server:
    """nbd_memory with some exports, each "NAME:BYTES[:OPTION...]"."""

    def __init__(self, folder, *exports):
        self.path = folder / "s"
        command = [SERVER, self.path, *exports]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.greeting = self.process.stdout.readline()

    def __enter__(self):
        assert self.greeting == "ready\n", self.process.stderr.read()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end()

    def end(self):
        """SIGTERM; returns the lines it has said about connections."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, (self.process.returncode, err)
        return out.splitlines()

    def uri(self, name):
        return f"nbd+unix:///{name}?socket={self.path}"


def run(*command, status=0):
    """Runs a client and returns what it said; its exit status must be as wanted (None: any but 0)."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S)
    as_wanted = done.returncode == status or (status is None and done.returncode > 0)
    assert as_wanted, f"{command}: status {done.returncode}\n{done.stdout}"
    return done.stdout


def qemu_io(uri, *commands, status=0):
    options = [word for command in commands for word in ("-c", command)]
    return run("qemu-io", "-f", "raw", *options, uri, status=status)


def make_image(path, size, seed):
    """Data, zeros and holes, each in runs of odd lengths."""
    rng = random.Random(seed)
    with open(path, "wb") as image:
        while image.tell() < size:
            length = min(rng.randrange(1, 300000), size - image.tell())
            kind = rng.randrange(3)
            if kind == 0:
                image.write(rng.randbytes(length))
            elif kind == 1:
                image.write(bytes(length))
            else:
                image.seek(length, os.SEEK_CUR)
        image.truncate(size)
    return path


class ClientsTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nbd-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def serve(self, *exports):
        server = Server(self.folder, *exports).__enter__()
        self.addCleanup(server.__exit__)
        return server

    def assertSame(self, a, b):
        self.assertTrue(pathlib.Path(a).read_bytes() == pathlib.Path(b).read_bytes(), f"{a} and {b} differ")

    def test_info(self):
        server = self.serve("a:67108864", f"odd:{ODD}", "ro:1:ro", "empty:0")
        exports = json.loads(run("nbdinfo", "--json", "--list", server.uri("")))
        self.assertTrue(exports["structured"])
        a, odd, ro, empty = exports["exports"]
        self.assertEqual([e["export-name"] for e in (a, odd, ro, empty)], ["a", "odd", "ro", "empty"])
        self.assertEqual([e["export-size"] for e in (a, odd, ro, empty)], [64 * MIB, ODD, 1, 0])
        self.assertEqual((a["block_size_minimum"], a["block_size_preferred"], a["block_size_maximum"]),
                         (1, 65536, 32 * MIB))
        self.assertEqual((a["is_read_only"], a["can_zero"], a["can_trim"], a["can_flush"]), (False, True, True, True))
        self.assertEqual((ro["is_read_only"], ro["can_zero"], ro["can_trim"]), (True, False, False))
        self.assertIn("for export: b", run("nbdinfo", server.uri("b"), status=None))
        self.assertTrue(all(" clean " in line for line in server.end()))

    def test_only_export_needs_no_name(self):
        server = self.serve("alone:4096")
        self.assertEqual(run("nbdinfo", "--size", server.uri("")), "4096\n")

    def test_plain(self):
        """One export that forbids structured replies forbids them for all; everything works the same."""
        server = self.serve(f"d:{ODD}", "filter:4096:plain")
        self.assertFalse(json.loads(run("nbdinfo", "--json", server.uri("d")))["structured"])
        image = make_image(self.folder / "in", ODD, 3)
        run("nbdcopy", image, server.uri("d"))
        run("nbdcopy", server.uri("d"), self.folder / "out")
        self.assertSame(image, self.folder / "out")

    def test_nbdcopy(self):
        server = self.serve(f"d:{ODD}")
        image = make_image(self.folder / "in", ODD, 1)
        for options in ([], ["--synchronous"], ["--request-size=33554432"], ["--requests=1", "--destination-is-zero"]):
            with self.subTest(options=options):
                run("nbdcopy", "--flush", *options, image, server.uri("d"))
                run("nbdcopy", *options[:1], server.uri("d"), self.folder / "out")
                self.assertSame(image, self.folder / "out")

    def test_large_reads(self):
        """64 reads of 32 MiB at once: a reader may ask for more than anyone would keep for it."""
        server = self.serve(f"d:{1 << 30}:ro")
        run("nbdcopy", "--request-size=33554432", "--requests=64", "--connections=1", server.uri("d"), "null:")
        self.assertTrue(all(" clean " in line for line in server.end()))

    def test_qemu_img(self):
        size = 7 * MIB + 512
        server = self.serve(f"d:{size}")
        image = make_image(self.folder / "in", size, 2)
        self.assertEqual(json.loads(run("qemu-img", "info", "--output=json", server.uri("d")))["virtual-size"], size)
        for options in ([], ["-W", "-m", "16"], ["-S", "0"]):
            with self.subTest(options=options):
                run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", *options, image, server.uri("d"))
                run("qemu-img", "compare", "-f", "raw", "-F", "raw", image, server.uri("d"))
                run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", server.uri("d"), self.folder / "out")
                run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", image, self.folder / "out")
        self.assertTrue(all(" clean " in line for line in server.end()))

    def test_qemu_io(self):
        server = self.serve(f"d:{ODD}")
        said = qemu_io(server.uri("d"), "write -P 1 1 65535", "write -P 2 65537 1", "write -P 3 131071 1000003",
                       "read -P 1 1 65535", "read -P 0 65536 1", "read -P 2 65537 1", "read -P 3 131071 1000003",
                       "write -z 131072 100001", "read -P 3 131071 1", "read -P 0 131072 100001", "read -P 3 231073 9",
                       "discard 0 65537", "read -P 0 0 65537", "read -P 2 65537 1", "flush",
                       "write -f -P 4 0 512", "read -P 4 0 512", f"write -P 5 {ODD - 1} 1", f"read -P 5 {ODD - 1} 1")
        self.assertNotIn("failed", said)
        self.assertNotIn("error", said)

    def test_many_in_flight(self):
        server = self.serve(f"d:{64 * MIB}")
        writes = [f"aio_write -P {i % 250 + 1} {i * 65537} 65537" for i in range(256)]
        reads = [f"read -P {i % 250 + 1} {i * 65537} 65537" for i in range(256)]
        self.assertNotIn("failed", qemu_io(server.uri("d"), *writes, "aio_flush", *reads))

    def test_errors(self):
        server = self.serve(f"full:{MIB}:full", f"ro:{MIB}:ro", f"deaf:{MIB}:deaf")
        said = qemu_io(server.uri("full"), "write 0 65536", "write 983040 65536", "write 65536 65536", status=None)
        self.assertEqual(said.count("No space left on device"), 1)
        self.assertEqual(said.count("wrote 65536/65536"), 2)
        image = make_image(self.folder / "in", MIB, 5)
        self.assertIn("read-only", run("nbdcopy", image, server.uri("ro"), status=None))
        self.assertIn("Permission denied", qemu_io(server.uri("ro"), "write 0 512", status=None))
        qemu_io(server.uri("deaf"), "write 0 65536")
        self.assertIn("error", qemu_io(server.uri("deaf"), "write 524288 65536", status=None))
        self.assertIn("closed deaf unclean connection dropped: no memory left for what the client sends",
                      server.end())

    def test_beyond_the_end(self):
        """qemu-io itself stops at the end; told a larger size, it lets the server say so."""
        server = self.serve(f"d:{MIB}")
        target = ("json:" + json.dumps({"driver": "raw", "size": 512, "offset": MIB - 512,
                                        "file": {"driver": "nbd", "export": "d",
                                                 "server": {"type": "unix", "path": str(server.path)}}}))
        self.assertNotIn("failed", run("qemu-io", "-c", "write -P 9 0 512", "-c", "read -P 9 0 512", target))
        self.assertIn("failed", run("qemu-io", "-c", "write 512 512", target, status=None))

    def test_killed_client(self):
        server = self.serve(f"d:{MIB}")
        command = ["qemu-io", "-f", "raw", server.uri("d")]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        client.stdin.write("write 0 65536\n")
        client.stdin.flush()
        said = ""
        while "wrote" not in said:
            said += client.stdout.read(1)
        client.kill()
        client.communicate()
        self.assertIn("closed d unclean connection closed without goodbye", server.process.stdout.readline())

    def test_many_connections(self):
        names = [f"d{i}" for i in range(12)]
        server = self.serve(*(f"{name}:{ODD}" for name in names))
        images = {name: make_image(self.folder / name, ODD, name) for name in names}

        def there_and_back(name):
            run("nbdcopy", images[name], server.uri(name))
            run("nbdcopy", server.uri(name), self.folder / f"{name}.out")

        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(there_and_back, names))
        for name in names:
            self.assertSame(images[name], self.folder / f"{name}.out")
        lines = server.end()
        self.assertEqual(len(lines), 2 * len(names))
        self.assertTrue(all(" clean " in line for line in lines))

    def test_multi_conn_reads(self):
        server = self.serve(f"d:{64 * MIB}:ro")
        run("nbdcopy", "--connections=8", "--threads=4", server.uri("d"), "null:")
        lines = server.end()
        self.assertGreaterEqual(len([line for line in lines if line.startswith("closed d clean")]), 4)

    def test_socket_file(self):
        server = self.serve("d:4096")
        self.assertEqual(stat.S_IMODE(server.path.stat().st_mode), 0o600)
        second = Server(self.folder, "d:4096")
        self.assertEqual(second.greeting, "")
        self.assertIn("listens there already", second.process.communicate()[1])
        server.process.kill()
        server.process.communicate()
        third = self.serve("d:4096")  # takes the place of the dead one
        run("nbdinfo", third.uri("d"))
        third.end()
        self.assertFalse(third.path.exists())

    def test_end_with_clients(self):
        """Ended in the middle of a connection, the server leaves nothing in its loop (status 0)."""
        server = self.serve(f"d:{MIB}")
        command = ["qemu-io", "-f", "raw", server.uri("d")]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        client.stdin.write("write 0 65536\n")
        client.stdin.flush()
        said = ""
        while "wrote" not in said:
            said += client.stdout.read(1)
        self.assertEqual(server.end(), ["closed d unclean connection ended by this side"])
        client.kill()
        client.communicate()


class NbdshTest(unittest.TestCase):
    """What only libnbd's Python binding can say: options by hand, the oldest way in, requests that break rules."""

    def setUp(self):
        try:
            import nbd
        except ImportError:
            self.skipTest("no python3-libnbd")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nbd-"))
        self.addCleanup(shutil.rmtree, folder)
        self.server = Server(folder, f"d:{MIB}", "ro:512:ro").__enter__()
        self.addCleanup(self.server.__exit__)
        self.nbd = nbd
        self.h = nbd.NBD()

    def connect(self):
        self.h.connect_uri(self.server.uri("d"))
        self.h.set_strict_mode(0)

    def test_breaking_rules(self):
        self.connect()
        for call, errno in [(lambda: self.h.pread(512, MIB), "EINVAL"), (lambda: self.h.pwrite(bytes(9), MIB), "ENOSPC"),
                            (lambda: self.h.zero(MIB, 1), "ENOSPC"), (lambda: self.h.trim(MIB, 1), "EINVAL"),
                            (lambda: self.h.cache(512, 0), "EINVAL")]:
            with self.assertRaises(self.nbd.Error) as raised:
                call()
            self.assertEqual(raised.exception.errno, errno)
        self.h.pwrite(b"x" * 1000, 7)
        self.assertEqual(self.h.pread(1002, 6), b"\0" + b"x" * 1000 + b"\0")

    def test_oldest_way_in(self):
        self.h.set_handshake_flags(0)
        self.connect()
        self.assertEqual(self.h.get_size(), MIB)


if __name__ == "__main__":
    if not SERVER.exists() or not all(shutil.which(client) for client in CLIENTS):
        print(f"skipped: {SERVER} and {', '.join(CLIENTS)} are needed")
        sys.exit(77)
    unittest.main()
