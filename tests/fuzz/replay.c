// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a fuzz target over every file of a folder: the corpus as an ordinary test, without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    g_autoptr(GDir) dir = argc > 1 ? g_dir_open(argv[1], 0, NULL) : NULL;
    const char *name;
    unsigned n = 0;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(argv[1], name, NULL);
        g_autofree char *data = NULL;
        gsize size;
        if (!g_file_get_contents(path, &data, &size, NULL))
            return 1;
        LLVMFuzzerTestOneInput((const uint8_t *)data, size);
        n++;
    }
    printf("%u inputs\n", n);
    return n ? 0 : 1;
}
