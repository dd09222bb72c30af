// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Builds an archive of ours from raw files, for tests of the reading side:
 *
 *     make_vma OUT NAME=FILE… [--vmstate FILE] [--config NAME=FILE]… [--lost NAME] [--no-end] [--shuffle
 * SEED]
 *
 * --lost: half of that drive is left out, and the end mark says so. --no-end: as a run that died. --shuffle:
 * the clusters of each drive in random order. Time and uuid are fixed, so equal input gives equal bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vma/extent.h"
#include "vma/header.h"

struct input {
    char *name, *path;
    bool is_vmstate, is_lost;
    int dev_id;
};

static const uint8_t uuid[16] = {0x5a, 0x1d, 'm', 'a', 'k', 'e', '_', 'v', 'm', 'a', 1, 2, 3, 4, 5, 6};
static char **drives, **configs, *vmstate, *lost;
static gboolean has_no_end;
static int shuffle_seed;

static const GOptionEntry options[] = {
    {"vmstate", 0, 0, G_OPTION_ARG_FILENAME, &vmstate, "RAM state", "FILE"},
    {"config", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &configs, "configuration", "NAME=FILE"},
    {"lost", 0, 0, G_OPTION_ARG_STRING, &lost, "leave half of this drive out", "NAME"},
    {"no-end", 0, 0, G_OPTION_ARG_NONE, &has_no_end, "no end mark", NULL},
    {"shuffle", 0, 0, G_OPTION_ARG_INT, &shuffle_seed, "clusters in random order", "SEED"},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &drives, NULL, NULL},
    G_OPTION_ENTRY_NULL,
};

G_NORETURN static void die(const char *what, const char *why)
{
    fprintf(stderr, "make_vma: %s: %s\n", what, why);
    exit(1);
}

static void write_all(int fd, const void *bytes, size_t len)
{
    for (ssize_t n; len; bytes = (const char *)bytes + n, len -= (size_t)n)
        if ((n = write(fd, bytes, len)) < 0)
            die("output", g_strerror(errno));
}

static void write_extent(int fd, struct vma_extent *e, struct vma_totals *totals)
{
    struct iovec iov[VMA_EXTENT_MAX_IOV];
    vma_extent_seal(e, uuid);
    unsigned n = vma_extent_iov(e, iov, G_N_ELEMENTS(iov));
    for (unsigned i = 0; i < n; i++)
        write_all(fd, iov[i].iov_base, iov[i].iov_len);
    vma_totals_add(totals, e->header);
    e->n = 0;
}

static uint32_t *cluster_order(const struct input *in, uint32_t n)
{
    uint32_t *order = g_new(uint32_t, n);
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)shuffle_seed);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; shuffle_seed && !in->is_vmstate && i > 1; i--) {
        uint32_t j = (uint32_t)g_rand_int_range(rand, 0, (gint32)i), swap = order[j];
        order[j] = order[i - 1];
        order[i - 1] = swap;
    }
    return order;
}

/* Reads a cluster; false where the file has a hole, so that large sparse files go fast. */
static bool read_cluster(const struct input *in, int fd, uint32_t cluster, uint8_t *buffer)
{
    off_t start = (off_t)cluster * VMA_CLUSTER_SIZE, data = lseek(fd, start, SEEK_DATA);
    if (data < 0 ? errno == ENXIO : data >= start + (off_t)VMA_CLUSTER_SIZE)
        return false;
    ssize_t got = pread(fd, buffer, VMA_CLUSTER_SIZE, start);
    if (got < 0)
        die(in->path, g_strerror(errno));
    memset(buffer + got, 0, VMA_CLUSTER_SIZE - (size_t)got);
    return true;
}

static void write_device(int out, const struct input *in, uint64_t size, struct vma_totals *totals)
{
    static uint8_t buffers[VMA_CLUSTERS_PER_EXTENT][VMA_CLUSTER_SIZE];
    struct vma_extent extent = {.dev_id = (uint8_t)in->dev_id, .is_vmstate = in->is_vmstate};
    uint32_t n = (uint32_t)((size + VMA_CLUSTER_SIZE - 1) / VMA_CLUSTER_SIZE);
    g_autofree uint32_t *order = cluster_order(in, n);
    int fd = open(in->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die(in->path, g_strerror(errno));
    if (in->is_lost)
        n /= 2;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *buffer = buffers[extent.n];
        vma_extent_add(&extent, order[i], read_cluster(in, fd, order[i], buffer) ? buffer : NULL);
        if (extent.n == VMA_CLUSTERS_PER_EXTENT)
            write_extent(out, &extent, totals);
    }
    if (extent.n)
        write_extent(out, &extent, totals);
    close(fd);
}

static uint64_t size_of(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (size < 0)
        die(path, g_strerror(errno));
    close(fd);
    return (uint64_t)size;
}

static struct input split(const char *argument)
{
    const char *equals = strchr(argument, '=');
    if (!equals)
        die(argument, "is not NAME=FILE");
    return (struct input){.name = g_strndup(argument, (gsize)(equals - argument)), .path = g_strdup(equals + 1)};
}

static void add_configs(struct vma_header *header)
{
    for (char **c = configs; c && *c; c++) {
        struct input in = split(*c);
        g_autofree char *data = NULL;
        gsize len;
        GError *error = NULL;
        if (!g_file_get_contents(in.path, &data, &len, &error) ||
            !vma_header_set_config(header, in.name, data, len, 0, &error))
            die(*c, error->message);
        g_free(in.name);
        g_free(in.path);
    }
}

static GArray *add_devices(struct vma_header *header)
{
    GArray *inputs = g_array_new(FALSE, TRUE, sizeof(struct input));
    for (char **d = drives + 1; *d; d++) {
        struct input in = split(*d);
        in.is_lost = !g_strcmp0(in.name, lost);
        g_array_append_val(inputs, in);
    }
    if (vmstate) {
        struct input in = {g_strdup(VMA_VMSTATE_NAME), g_strdup(vmstate), .is_vmstate = true};
        g_array_append_val(inputs, in);
    }
    for (guint i = 0; i < inputs->len; i++) {
        struct input *in = &g_array_index(inputs, struct input, i);
        uint64_t size = size_of(in->path);
        GError *error = NULL;
        in->dev_id = vma_header_add_device(header, in->name, in->is_vmstate ? (size | 511) + 1 : size, &error);
        if (in->dev_id < 0)
            die(in->name, error->message);
    }
    return inputs;
}

static void write_end(int fd, struct vma_totals *totals)
{
    uint8_t end[VMA_EXTENT_HEADER_SIZE];
    totals->vmstate_bytes = vmstate ? size_of(vmstate) : 0;
    vma_end_mark_encode(totals, VMA_END_COMPLETE | (lost ? VMA_END_DEVICE_LOST : 0), uuid, end);
    write_all(fd, end, sizeof end);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("OUT NAME=FILE…");
    GError *error = NULL;
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !drives)
        die("arguments", error ? error->message : "OUT is missing");

    g_autoptr(vma_header) header = vma_header_new(uuid, 1700000000);
    GArray *inputs = add_devices(header);
    add_configs(header);
    g_autoptr(GBytes) bytes = vma_header_encode(header, &error);
    int fd = open(drives[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (!bytes || fd < 0)
        die(drives[0], bytes ? g_strerror(errno) : error->message);
    write_all(fd, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

    struct vma_totals totals = {0};
    for (guint i = 0; i < inputs->len; i++) {
        struct input *in = &g_array_index(inputs, struct input, i);
        write_device(fd, in, size_of(in->path), &totals);
        g_free(in->name);
        g_free(in->path);
    }
    g_array_unref(inputs);
    if (!has_no_end)
        write_end(fd, &totals);
    g_strfreev(drives);
    g_strfreev(configs);
    g_free(vmstate);
    g_free(lost);
    return close(fd) != 0;
}
