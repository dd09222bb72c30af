// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * Devices that a guest takes along: those that live inside QEMU alone. What is passed through from the host,
 * shares its memory or its folders, or is served by another process is not among them.
 */
#include <stdbool.h>

bool device_is_known(const char *driver);
/* It would play on the host's sound card unless it is told of another. */
bool device_is_audible(const char *driver);
/* A medium can be taken out of it: it may stand empty. */
bool device_is_removable(const char *driver);
/* May a device have this property with this value? Numbers and switches name nothing of the host; of the
 * other properties those do that are in the list. */
bool device_property_is_good(const char *key, const char *value);
