// SPDX-License-Identifier: GPL-2.0-or-later
/* OpenSSL's SHA-256, since it uses the CPU's instructions: 1.4 GB/s a core with sha_ni, where GLib's has 0.3. */
#include "store/chunk_id.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <openssl/evp.h>

#define PIECE (64u << 10)

G_STATIC_ASSERT(CHUNK_ID_BYTES == 256 / 8);

static const EVP_MD *sha256(void)
{
    static gsize md; /* looked up once: OpenSSL 3 searches its providers each time */
    if (g_once_init_enter(&md))
        g_once_init_leave(&md, (gsize)EVP_MD_fetch(NULL, "SHA256", NULL));
    return (const EVP_MD *)md;
}

/* OpenSSL fails only without memory, or without SHA-256 at all. */
static void must(int is_ok)
{
    if (!is_ok)
        g_error("OpenSSL has no SHA-256");
}

struct chunk_id_sum *chunk_id_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context && EVP_DigestInit_ex(context, sha256(), NULL));
    return (struct chunk_id_sum *)context;
}

void chunk_id_add(struct chunk_id_sum *sum, const void *bytes, size_t len)
{
    must(EVP_DigestUpdate((EVP_MD_CTX *)sum, bytes, len));
}

void chunk_id_end(struct chunk_id_sum *sum, struct chunk_id *id)
{
    must(!id || EVP_DigestFinal_ex((EVP_MD_CTX *)sum, id->bytes, NULL));
    EVP_MD_CTX_free((EVP_MD_CTX *)sum);
}

bool chunk_id_is_size(uint64_t bytes)
{
    return bytes >= CHUNK_MIN_BYTES && bytes <= CHUNK_MAX_BYTES && !(bytes & (bytes - 1));
}

void chunk_id_of(const void *bytes, size_t len, struct chunk_id *id)
{
    must(EVP_Digest(bytes, len, id->bytes, NULL, sha256(), NULL));
}

void chunk_id_of_zeros(size_t len, struct chunk_id *id)
{
    static const uint8_t zeros[PIECE];
    struct chunk_id_sum *sum = chunk_id_begin();
    for (size_t at = 0; at < len; at += PIECE)
        chunk_id_add(sum, zeros, MIN(PIECE, len - at));
    chunk_id_end(sum, id);
}

int chunk_id_of_file(int fd, struct chunk_id *id)
{
    g_autofree uint8_t *piece = g_malloc(PIECE);
    struct chunk_id_sum *sum = chunk_id_begin();
    ssize_t n;
    int failed = 0;
    for (off_t at = 0; (n = pread(fd, piece, PIECE, at)); at += n > 0 ? n : 0) {
        if (n > 0)
            chunk_id_add(sum, piece, (size_t)n);
        else if (errno != EINTR && (failed = errno))
            break;
    }
    chunk_id_end(sum, id);
    return failed;
}

void chunk_id_text(const struct chunk_id *id, char text[CHUNK_ID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < CHUNK_ID_BYTES; i++) {
        text[2 * i] = digits[id->bytes[i] >> 4];
        text[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    text[CHUNK_ID_TEXT - 1] = '\0';
}

static int digit_of(char c)
{
    return c >= 'A' && c <= 'F' ? -1 : g_ascii_xdigit_value(c);
}

bool chunk_id_parse(const char *text, struct chunk_id *id)
{
    for (unsigned i = 0; i < CHUNK_ID_BYTES; i++) {
        int high = digit_of(text[2 * i]), low = high < 0 ? -1 : digit_of(text[2 * i + 1]);
        if (low < 0)
            return false;
        id->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return !text[CHUNK_ID_TEXT - 1];
}

unsigned chunk_id_hash(const void *id)
{
    unsigned hash;
    memcpy(&hash, ((const struct chunk_id *)id)->bytes, sizeof hash);
    return hash;
}

int chunk_id_is_same(const void *a, const void *b)
{
    return chunk_id_equal(a, b);
}

bool chunk_id_equal(const struct chunk_id *a, const struct chunk_id *b)
{
    return !memcmp(a->bytes, b->bytes, CHUNK_ID_BYTES);
}
