// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/map.h"
#include <unistd.h>
#include "fake/acts.h"
#include "unit/nbd_status_peer.h"

struct fake_map {
    struct status_peer peer;
    GThread *thread; /* it answers while the monitor goes on */
    uint32_t pairs[2 * FAKE_CLUSTERS];
};

static gpointer serve(gpointer user)
{
    const struct fake_map *map = user;
    uint8_t request[STATUS_REQUEST_BYTES];
    if (peer_shakes_hands(&map->peer))
        while (peer_hears_request(&map->peer, request) &&
               peer_says_extents(&map->peer, request, true, map->pairs, G_N_ELEMENTS(map->pairs)))
            ;
    shutdown(map->peer.fd, SHUT_RDWR); /* for which the client waits */
    return NULL;
}

struct fake_map *fake_map_new(struct fake_qemu *q, const char *node)
{
    int fd = q->nbd_listener < 0 ? -1 : accept4(q->nbd_listener, NULL, NULL, SOCK_CLOEXEC);
    unsigned drive = fake_drive_of(q, node);
    const struct fake_content *content = fake_content_of(q, node, drive);
    struct fake_map *map;
    if (fd < 0)
        return NULL;
    map = g_new0(struct fake_map, 1);
    map->peer = (struct status_peer){.fd = fd, .size = FAKE_DRIVE_SIZE};
    for (unsigned i = 0; i < FAKE_CLUSTERS; i++) {
        q->is_told_zero[drive][i] = content && !fake_byte(drive, i, content);
        map->pairs[2 * i] = FAKE_CLUSTER;
        map->pairs[2 * i + 1] = q->is_told_zero[drive][i] ? NBD_STATE_ZERO : 0;
    }
    map->thread = g_thread_new("map", serve, map);
    return map;
}

void fake_map_free(struct fake_map *map)
{
    if (!map)
        return;
    shutdown(map->peer.fd, SHUT_RDWR);
    g_thread_join(map->thread);
    close(map->peer.fd);
    g_free(map);
}
