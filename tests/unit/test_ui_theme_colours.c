// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Can the themes be read? Contrast as WCAG 2 computes it, and colour blindness simulated as Machado, Oliveira
 * and Fernandes (2009) do, both over the themes that have a background of their own.
 */
#include <math.h>
#include <string.h>

#include "ui/theme.h"

#define MIN_CONTRAST 4.5
#define MIN_APART    10.0 /* CIE76; 2.3 is what can just be told apart side by side */

struct linear { /* light, 0 … 1 */
    double red, green, blue;
};

static const char *const own_background[] = {"dark", "light", "contrast", "solar"};

static double to_linear(uint32_t byte)
{
    double c = byte / 255.0;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static struct linear light_of(uint32_t rgb)
{
    return (struct linear){to_linear(rgb >> 16 & 255), to_linear(rgb >> 8 & 255), to_linear(rgb & 255)};
}

/* As the terminal shows it: the colour itself, or the nearest of 256. */
static uint32_t shown(int32_t colour, bool is_256)
{
    g_assert_cmpint(colour, >=, THEME_RGB);
    return is_256 ? theme_rgb(theme_nearest_256((uint32_t)colour & 0xffffff)) : (uint32_t)colour & 0xffffff;
}

static double luminance(uint32_t rgb)
{
    struct linear l = light_of(rgb);
    return 0.2126 * l.red + 0.7152 * l.green + 0.0722 * l.blue;
}

static double contrast(uint32_t a, uint32_t b)
{
    double la = luminance(a), lb = luminance(b);
    return (MAX(la, lb) + 0.05) / (MIN(la, lb) + 0.05);
}

static void load(const char *name, struct theme *theme)
{
    g_autoptr(GError) error = NULL;
    theme_parse(theme_builtin(name), name, theme, &error);
    g_assert_no_error(error);
}

/* Bars, graphs and rules carry no words. */
static bool carries_words(enum ui_role role)
{
    return role != ROLE_RULE && (role < ROLE_BAR_FILL || role > ROLE_GRAPH_LIMIT);
}

static void test_contrast(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(own_background); i++) {
        struct theme t;
        load(own_background[i], &t);
        for (enum ui_role role = 0; role < UI_ROLES_END; role++) {
            const struct theme_style *style = theme_style(&t, THEME_256, role);
            for (int is_256 = 0; is_256 < 2 && carries_words(role); is_256++) {
                double is = contrast(shown(style->fg, is_256), shown(style->bg, is_256));
                if (is < MIN_CONTRAST)
                    g_error("%s, role %d at %s: contrast %.2f", t.name, role, is_256 ? "256" : "16M", is);
            }
        }
    }
}

/* ---- colour blindness ---- */

/* Severity 1.0, over linear light. */
static const struct {
    const char *name;
    double m[9];
} eyes[] = {
    {"normal", {1, 0, 0, 0, 1, 0, 0, 0, 1}},
    {"protan", {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998}},
    {"deutan", {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881}},
    {"tritan", {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900}},
};

static struct linear seen(uint32_t rgb, const double *m)
{
    struct linear l = light_of(rgb);
    double out[3];
    for (unsigned i = 0; i < 3; i++)
        out[i] = CLAMP(m[3 * i] * l.red + m[3 * i + 1] * l.green + m[3 * i + 2] * l.blue, 0, 1);
    return (struct linear){out[0], out[1], out[2]};
}

static double lab_curve(double t)
{
    return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

static void to_lab(struct linear l, double lab[3])
{
    double x = lab_curve((0.4124 * l.red + 0.3576 * l.green + 0.1805 * l.blue) / 0.95047);
    double y = lab_curve(0.2126 * l.red + 0.7152 * l.green + 0.0722 * l.blue);
    double z = lab_curve((0.0193 * l.red + 0.1192 * l.green + 0.9505 * l.blue) / 1.08883);
    lab[0] = 116 * y - 16;
    lab[1] = 500 * (x - y);
    lab[2] = 200 * (y - z);
}

static double apart(uint32_t a, uint32_t b, const double *eye)
{
    double p[3], q[3];
    to_lab(seen(a, eye), p);
    to_lab(seen(b, eye), q);
    return sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) + (p[2] - q[2]) * (p[2] - q[2]));
}

static void test_apart(void)
{
    static const enum ui_role states[] = {ROLE_STATE_RUN, ROLE_STATE_DONE, ROLE_STATE_PAUSE, ROLE_STATE_FAIL};
    for (unsigned i = 0; i < G_N_ELEMENTS(own_background); i++) {
        struct theme t;
        load(own_background[i], &t);
        for (unsigned pair = 0; pair < 16 * G_N_ELEMENTS(eyes) * 2; pair++) {
            unsigned a = pair % 4, b = pair / 4 % 4, eye = pair / 16 % G_N_ELEMENTS(eyes), is_256 = pair / 64;
            if (a >= b)
                continue;
            double is = apart(shown(theme_style(&t, THEME_256, states[a])->fg, is_256),
                              shown(theme_style(&t, THEME_256, states[b])->fg, is_256), eyes[eye].m);
            if (is < MIN_APART)
                g_error("%s: states %u and %u are %.1f apart to %s eyes (%s)", t.name, a, b, is, eyes[eye].name,
                        is_256 ? "256" : "16M");
        }
    }
}

/* The measure measures: ANSI blue on black cannot be read, red and green look alike to some. */
static void test_measure(void)
{
    g_assert_cmpfloat_with_epsilon(contrast(0x000000, 0xffffff), 21, 0.01);
    g_assert_cmpfloat(contrast(0x0000cd, 0x000000), <, MIN_CONTRAST);
    g_assert_cmpfloat(apart(0x9db300, 0xd0a215, eyes[2].m), <, MIN_APART);
    g_assert_cmpfloat(apart(0x9db300, 0xd0a215, eyes[0].m), >, MIN_APART);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/theme-colours/measure", test_measure);
    g_test_add_func("/ui/theme-colours/contrast", test_contrast);
    g_test_add_func("/ui/theme-colours/apart", test_apart);
    return g_test_run();
}
