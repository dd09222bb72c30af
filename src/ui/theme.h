// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What each role looks like: themes/NAME.theme, a key file (docs/themes.md). "default" and "mono" are built
 * in as well, so that the console is never without one.
 *
 *     struct theme theme;
 *     if (!theme_load("night", &theme, &error)) …      // error: "night.theme:14: state-run: unknown colour
 * 'gren'" const struct theme_style *style = theme_style(&theme, THEME_256, ROLE_BAR_FILL);
 *
 * Nothing is half applied: on failure *theme is as it was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "ui/role.h"

#define THEME_DEFAULT   (-1)      /* the terminal's own colour */
#define THEME_RGB       0x1000000 /* | rrggbb; else 0 … 255 */
#define THEME_BOLD      1u
#define THEME_REVERSE   2u
#define THEME_UNDERLINE 4u

/* How many colours there are to choose from; a theme has a set of styles for each. */
enum theme_depth { THEME_MONO, THEME_16, THEME_256, THEME_DEPTHS };

struct theme_style {
    int32_t fg, bg;
    unsigned attributes;
};
struct theme {
    char name[64];     /* of the file, without ".theme" */
    char title[64];    /* as it calls itself */
    char warning[128]; /* "" or what was ignored: an unknown role */
    struct theme_style styles[THEME_DEPTHS][UI_ROLES_END];
};

const struct theme_style *theme_style(const struct theme *theme, enum theme_depth depth, enum ui_role role);
/* The nearest of 16 … 255 of the usual cube (0 … 15 belong to the user), and of the 16. */
int theme_nearest_256(uint32_t rgb);
int theme_nearest_16(uint32_t rgb);

/* source names it in errors. */
bool theme_parse(const char *text, const char *source, struct theme *theme, GError **error);
/* By name: in the build tree, the user's and the system's folders, then built in. With a '/' it is a file. */
bool theme_load(const char *name, struct theme *theme, GError **error);
/* Never fails. */
void theme_load_builtin(struct theme *theme);
/* All names there are, sorted, "default" first. */
GStrv theme_names(void);
/* The text of a built-in theme, NULL when there is none of that name. */
const char *theme_builtin(const char *name);
