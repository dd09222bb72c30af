// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/acts.h"
#include <libnbd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "fake/vhost.h"

void fake_end_stream(struct fake_qemu *q, const char *status)
{
    if (q->migration_fd >= 0)
        close(q->migration_fd);
    q->migration_fd = -1;
    q->migration = status;
}

void fake_set_running(struct fake_qemu *q, bool is_running)
{
    if (q->is_running == is_running)
        return;
    q->is_running = is_running;
    q->state = "paused";
    fake_event(q, is_running ? "RESUME" : "STOP", "{}");
}

uint8_t fake_byte(unsigned drive, unsigned cluster, const struct fake_content *content)
{
    unsigned writes = content->writes[cluster];
    return cluster == 2 && !writes ? 0 : 1 + (67 * drive + 13 * cluster + 29 * writes) % 255;
}

void fake_guest_writes(struct fake_qemu *q, unsigned drive, unsigned cluster)
{
    struct fake_node *top = fake_node(q, q->drives[drive]);
    struct fake_node *filter = top && strcmp(top->driver, "blkdebug") == 0 ? fake_node(q, top->file) : top;
    struct fake_node *target = filter ? fake_node(q, filter->target) : NULL;
    uint32_t bytes = MIN(FAKE_CLUSTER, FAKE_DRIVE_SIZE - cluster * FAKE_CLUSTER);
    uint8_t old[FAKE_CLUSTER];
    if (target && target->nbd && !filter->is_broken && !filter->has_sent[cluster]) {
        memset(old, fake_byte(drive, cluster, &filter->frozen), sizeof old);
        filter->has_sent[cluster] = true;
        filter->is_broken = nbd_pwrite(target->nbd, old, bytes, cluster * FAKE_CLUSTER, 0) < 0;
        if (!filter->is_broken && nbd_pread(target->nbd, old, bytes, cluster * FAKE_CLUSTER, 0) < 0 &&
            q->fault.kind < FAULT_TOLD && !q->on_moment)
            fake_violate(q, "what the filter has sent cannot be read back");
    }
    q->contents[drive].writes[cluster]++;
}

static const char *stop(struct fake_qemu *q, json_object *args)
{
    q->kind.has_mirror |= q->kind.mirrors_late;
    q->is_frozen |= q->is_running;
    fake_set_running(q, false);
    return NULL;
}

static const char *cont(struct fake_qemu *q, json_object *args)
{
    if (q->has_left)
        fake_violate(q, "a guest that has left is let go here, too");
    if (g_get_monotonic_time() < q->passed_us)
        fake_violate(q, "a guest whose migration has not ended is let go");
    if (q->kind.is_paused && q->kind.state)
        fake_violate(q, "a guest that has stopped by itself is let go");
    if (q->is_inactive && q->kind.may_not_reopen)
        return "Could not open 'disk0.raw': Permission denied";
    q->is_inactive = false;
    fake_set_running(q, true);
    for (unsigned i = 0; i < q->kind.n_drives; i++)
        fake_guest_writes(q, i, 0);
    q->is_frozen = false;
    return NULL;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The whole stream at once. */
static void send_ram(struct fake_qemu *q)
{
    static const char page[4096];
    q->migration = "active";
    for (unsigned i = 0; i < FAKE_RAM_BYTES / sizeof page; i++)
        if (send(q->migration_fd, page, sizeof page, MSG_NOSIGNAL) < 0)
            fake_end_stream(q, "failed");
}

/* It stops the guest and leaves its drives inactive. */
static void end_plain_migration(struct fake_qemu *q)
{
    fake_each (struct fake_node, n, q->nodes)
        if (strcmp(n->driver, "copy-before-write") == 0)
            fake_violate(q, "a plain migration cannot end while filters stand");
    fake_set_running(q, false);
    q->is_inactive = true;
    q->state = "postmigrate";
    q->passed_us = g_get_monotonic_time() + q->kind.passes_ms * 1000;
    fake_end_stream(q, q->kind.fails_stopped ? "failed" : "completed");
}

static const char *migrate(struct fake_qemu *q, json_object *args)
{
    const char *uri = fake_text(args, "uri");
    if (q->kind.blocks_ram || q->kind.refuses_ram)
        return "non-migratable device";
    if (!q->is_running && strcmp(q->state, "postmigrate") == 0)
        return "Can't migrate the vm that was paused due to previous migration";
    if (!q->is_running && strcmp(q->state, "paused") != 0 && q->has_snapshot)
        fake_violate(q, "a background snapshot of a guest that is neither running nor paused");
    if (!g_str_has_prefix(uri, "unix:") || (q->migration_fd = connect_to(uri + 5)) < 0)
        return "Failed to connect";
    q->is_background = q->has_snapshot;
    q->is_frozen = q->is_frozen && !q->is_background;
    send_ram(q);
    if (q->is_background && q->is_running)
        fake_violate(q, "a background snapshot of a guest that runs is not of the drives' instant");
    if (!q->is_background && strcmp(q->migration, "active") == 0 && !q->kind.never_converges)
        end_plain_migration(q);
    return NULL;
}

static const char *cancel_migration(struct fake_qemu *q, json_object *args)
{
    if (strcmp(q->migration, "active") == 0)
        fake_end_stream(q, "cancelled");
    return NULL;
}

void fake_panic(struct fake_qemu *q)
{
    if (!q->is_running)
        return;
    q->kind.is_paused = true;
    q->kind.state = "guest-panicked";
    fake_event(q, "GUEST_PANICKED", "{\"action\":\"pause\"}");
    fake_set_running(q, false);
    q->state = q->kind.state;
}

void fake_leave(struct fake_qemu *q)
{
    if (strcmp(q->migration, "active") == 0 || strcmp(q->state, "postmigrate") == 0)
        return;
    q->was_instant_left = q->n_copied + fake_vhost_complete(q) < q->kind.n_drives;
    q->has_left = q->kind.is_paused = true;
    q->kind.state = NULL;
    fake_set_running(q, false);
    q->state = "postmigrate";
    q->migration = "completed";
}

static const char *set_capabilities(struct fake_qemu *q, json_object *args)
{
    json_object *list = fake_object(args, "capabilities");
    bool has_events = q->has_events, has_snapshot = q->has_snapshot;
    for (unsigned i = 0; i < json_object_array_length(list); i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        bool is_on = json_object_get_boolean(fake_object(entry, "state"));
        *(strcmp(fake_text(entry, "capability"), "events") == 0 ? &has_events : &has_snapshot) = is_on;
    }
    if (strcmp(q->migration, "active") == 0)
        return "There's a migration process in progress";
    if (has_snapshot && q->kind.no_snapshot)
        return "Background-snapshot is not supported by host kernel";
    q->has_events = has_events;
    q->has_snapshot = has_snapshot;
    return NULL;
}

static const char *set_params(struct fake_qemu *q, json_object *args)
{
    if (fake_object(args, "max-bandwidth"))
        q->bandwidth = json_object_get_int64(fake_object(args, "max-bandwidth"));
    if (fake_object(args, "downtime-limit"))
        q->downtime = json_object_get_int64(fake_object(args, "downtime-limit"));
    return NULL;
}

const struct fake_command fake_guest_commands[] = {
    {"stop", stop},
    {"cont", cont},
    {"migrate", migrate},
    {"migrate_cancel", cancel_migration},
    {"migrate-set-capabilities", set_capabilities},
    {"migrate-set-parameters", set_params},
    {0},
};
