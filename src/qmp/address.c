// SPDX-License-Identifier: GPL-2.0-or-later
#include "qmp/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/text.h"

static bool bad(const struct qmp_address *address, GError **error, const char *what)
{
    g_set_error(error, QMP_ERROR, QMP_ERROR_NOT_SOCKET, "%s: %s", address->text, what);
    return false;
}

/* --- UNIX --------------------------------------------------------------------------------------- */

static bool parse_path(struct qmp_address *address, const char *path, GError **error)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->target[0];

    address->is_unix = true;
    if (!*path)
        return bad(address, error, "no path; give the PATH of QEMU's -qmp unix:PATH");
    if (strlen(path) >= sizeof un->sun_path)
        return bad(address, error,
                   "is longer than the 107 bytes a socket can have; change to its folder and give it from there");
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, path);
    address->target_len[0] = sizeof *un;
    address->n = 1;
    return true;
}

/* --- TCP ---------------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *host)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)host;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)host;

    if (host->ss_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static bool is_same_host(const struct sockaddr_storage *host, const struct sockaddr *own)
{
    if (!own || own->sa_family != host->ss_family)
        return false;
    if (own->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)host)->sin_addr,
                      &((const struct sockaddr_in *)(const void *)own)->sin_addr, sizeof(struct in_addr)) == 0;
    return memcmp(&((const struct sockaddr_in6 *)host)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)own)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool is_of_this_machine(const struct sockaddr_storage *host)
{
    struct ifaddrs *all = NULL;
    bool found = is_loopback(host);

    if (found || getifaddrs(&all) != 0)
        return found;
    for (const struct ifaddrs *at = all; at && !found; at = at->ifa_next)
        found = is_same_host(host, at->ifa_addr);
    freeifaddrs(all);
    return found;
}

static bool add_target(struct qmp_address *address, const char *host, unsigned port)
{
    struct sockaddr_storage *target = &address->target[address->n];
    struct sockaddr_in *in = (struct sockaddr_in *)target;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)target;

    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        address->target_len[address->n++] = sizeof *in;
        return true;
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        address->target_len[address->n++] = sizeof *in6;
        return true;
    }
    return false;
}

/* "HOST:PORT", "[::1]:PORT"; an empty host is this machine, as for QEMU. */
static bool parse_tcp(struct qmp_address *address, const char *text, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
    size_t len = host ? strlen(host) : 0;
    guint64 port;

    if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
        return bad(address, error, "no port; give HOST:PORT with a port from 1 to 65535");
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    if (!*host || g_str_equal(host, "localhost"))
        return add_target(address, "127.0.0.1", (unsigned)port) && add_target(address, "::1", (unsigned)port);
    if (add_target(address, host, (unsigned)port) && is_of_this_machine(&address->target[0]))
        return true;
    address->n = 0;
    return bad(address, error,
               "is not known to be this machine, and QEMU must run on this one; give localhost or a numeric "
               "address of this machine");
}

/* "HOST:PORT" without a slash; a relative path that looks like one can be given as ./HOST:PORT. */
static bool looks_like_tcp(const char *text)
{
    const char *colon = strrchr(text, ':');

    return colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1) && !strchr(text, '/');
}

static char *without_options(const char *text)
{
    const char *comma = strchr(text, ',');

    return comma ? g_strndup(text, (gsize)(comma - text)) : g_strdup(text);
}

bool qmp_address_parse(struct qmp_address *address, const char *text, GError **error)
{
    g_autofree char *pasted = without_options(text);

    *address = (struct qmp_address){.text = text_make_safe(text)};
    if (g_str_has_prefix(text, "unix:"))
        return parse_path(address, pasted + strlen("unix:"), error);
    if (g_str_has_prefix(text, "tcp:"))
        return parse_tcp(address, pasted + strlen("tcp:"), error);
    if (looks_like_tcp(text))
        return parse_tcp(address, text, error);
    return parse_path(address, text, error);
}

void qmp_address_clear(struct qmp_address *address)
{
    g_clear_pointer(&address->text, g_free);
}

char *qmp_address_path(const char *text)
{
    struct qmp_address address;
    char *path = NULL;

    if (qmp_address_parse(&address, text, NULL) && address.is_unix)
        path = g_strdup(((const struct sockaddr_un *)&address.target[0])->sun_path);
    qmp_address_clear(&address);
    return path;
}

/* --- what went wrong ---------------------------------------------------------------------------- */

static GError *explain(const struct qmp_address *address, enum qmp_error code, const char *what)
{
    return g_error_new(QMP_ERROR, code, "%s: %s", address->text, what);
}

/* connect() says ECONNREFUSED for a plain file too. */
static bool is_no_socket(const struct qmp_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->target[0];
    struct stat status;

    return address->is_unix && stat(un->sun_path, &status) == 0 && !S_ISSOCK(status.st_mode);
}

GError *qmp_address_explain(const struct qmp_address *address, int number)
{
    g_autofree char *other = NULL;

    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return explain(address, QMP_ERROR_NOT_THERE,
                       "no such socket; is the guest running? start QEMU with -qmp unix:PATH,server=on,wait=off");
    case EACCES:
    case EPERM:
        return explain(address, QMP_ERROR_PERMISSION,
                       "this user may not open it; try as root or as the user that QEMU runs as");
    case EPROTOTYPE:
        return explain(address, QMP_ERROR_NOT_SOCKET,
                       "is a socket of another kind; give the PATH of QEMU's -qmp unix:PATH");
    case ECONNREFUSED:
        if (is_no_socket(address))
            return explain(address, QMP_ERROR_NOT_SOCKET, "is no socket; give the PATH of QEMU's -qmp unix:PATH");
        return explain(address, QMP_ERROR_REFUSED,
                       address->is_unix
                           ? "nothing listens there: the QEMU that made it has ended; is the guest running?"
                           : "nothing listens there; start QEMU with -qmp tcp:HOST:PORT,server=on,wait=off");
    default:
        other = g_strdup_printf("cannot be reached (%s); is the guest running?", g_strerror(number));
        return explain(address, QMP_ERROR_REFUSED, other);
    }
}
