// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
/*
 * What each role looks like: NAME.theme, a key file (docs/themes.md). Those of themes/ are built in, so that the
 * console is never without one.
 *
 *     struct theme theme;
 *     if (!theme_load("night", &theme, &error)) …   // "night.theme:14: state-run: unknown colour 'gren'"
 *     const struct theme_style *style = theme_style(&theme, THEME_256, ROLE_BAR_FILL);
 *
 *     g_autoptr(GArray) all = theme_list(NULL);     // for the picker: parsed already, no file is read later
 *     const struct theme_entry *entry = &g_array_index(all, struct theme_entry, i);
 *
 * Nothing is half applied: on failure *theme is as it was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "model/model.h"
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
/* Signs of its own, each one column wide; "" = as the set of glyphs has it. */
#define THEME_SIGN_LEN 8
struct theme_signs {
    char states[MODEL_STATES][THEME_SIGN_LEN];
    char bar[8][THEME_SIGN_LEN]; /* n_bar of them, rising; the last fills the whole cell */
    unsigned n_bar;
    char bar_empty[THEME_SIGN_LEN], cursor[THEME_SIGN_LEN], rule[THEME_SIGN_LEN];
};
struct theme {
    char name[64];        /* of the file, without ".theme" */
    char title[64];       /* as it calls itself */
    char description[64]; /* in a few words, "" = none */
    char warning[128];    /* "" or what was ignored: an unknown role, a sign that is too wide */
    struct theme_style styles[THEME_DEPTHS][UI_ROLES_END];
    struct theme_signs signs;
};

const struct theme_style *theme_style(const struct theme *theme, enum theme_depth depth, enum ui_role role);
/* The nearest of 16 … 255 of the usual cube (0 … 15 belong to the user), and of the 16. */
int theme_nearest_256(uint32_t rgb);
int theme_nearest_16(uint32_t rgb);
/* 0xrrggbb of a colour of 16 … 255 or THEME_RGB. */
uint32_t theme_rgb(int32_t colour);

/* source names it in errors. */
bool theme_parse(const char *text, const char *source, struct theme *theme, GError **error);
/* By name: in the user's and the system's folders, then built in. With a '/' it is a file. */
bool theme_load(const char *name, struct theme *theme, GError **error);
/* "default" as it is built in. Never fails. */
void theme_load_builtin(struct theme *theme);

/* A line of the theme picker. */
struct theme_entry {
    struct theme theme; /* ready to be shown; only its name, where there is a problem */
    char origin[16];    /* "built in", "yours", "system", "this file" */
    char problem[160];  /* "" = usable, else why not: "line 14: state-run: unknown colour 'gren'" */
};
/* struct theme_entry: those built in, then the others by name, then the one of `file` (with a '/'; NULL = none). One of
 * the user's takes the place of a built-in one of its name. Reads files: before a run begins, or in a worker. */
GArray *theme_list(const char *file);
/* Which of the list is called so; its length where none is. */
unsigned theme_place(const GArray *list, const char *name);
/* The text and the names of the built-in themes; NULL when there is none. */
const char *theme_builtin(const char *name);
const char *theme_builtin_name(unsigned index);
