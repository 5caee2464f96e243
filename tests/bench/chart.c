/* Implements the picture of growth curves. Must not measure anything. */
#include "chart.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

#define CHART_MAX_BYTES (512 * 1024)
#define PANEL_W 360
#define PANEL_H 230
#define ACROSS 2
#define LEFT 64
#define RIGHT 44
#define TOP 44
#define BOTTOM 44
#define LABEL_MAX 32

/* A panel's place in the picture and the decades that its axes show. */
struct panel {
    double left, top;
    double x_from, x_to, y_from, y_to; /* powers of ten */
};

static double point_at(const json_t *points, size_t i, size_t axis) {
    return json_number_value(json_array_get(json_array_get(points, i), axis));
}

static double place_x(const struct panel *p, double value) {
    double share = (log10(value) - p->x_from) / (p->x_to - p->x_from);
    return p->left + LEFT + share * (PANEL_W - LEFT - RIGHT);
}

static double place_y(const struct panel *p, double value) {
    double share = (log10(value) - p->y_from) / (p->y_to - p->y_from);
    return p->top + PANEL_H - BOTTOM - share * (PANEL_H - TOP - BOTTOM);
}

/* The decades around all values of one axis, at least one wide. */
static void find_decades(const json_t *points, size_t axis, double *ret_from, double *ret_to) {
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < json_array_size(points); i++) {
        least = fmin(least, point_at(points, i, axis));
        most = fmax(most, point_at(points, i, axis));
    }
    *ret_from = floor(log10(least));
    *ret_to = fmax(ceil(log10(most)), *ret_from + 1);
}

static void label_of(double value, char out[static LABEL_MAX]) {
    if (value >= 1e6)
        snprintf(out, LABEL_MAX, "%.3gM", value / 1e6);
    else if (value >= 1e4)
        snprintf(out, LABEL_MAX, "%.3gk", value / 1e3);
    else
        snprintf(out, LABEL_MAX, value >= 1000 ? "%.0f" : "%.3g", value);
}

static void draw_axes(struct buf *out, const struct panel *p, const char *x_name) {
    char label[LABEL_MAX];
    double bottom = p->top + PANEL_H - BOTTOM, right = p->left + PANEL_W - RIGHT;
    for (double decade = p->x_from; decade <= p->x_to; decade++) {
        double x = place_x(p, pow(10, decade));
        label_of(pow(10, decade), label);
        buf_printf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", x, p->top + TOP, bottom);
        buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x,
                   bottom + 16, label);
    }
    for (double decade = p->y_from; decade <= p->y_to; decade++) {
        double y = place_y(p, pow(10, decade));
        label_of(pow(10, decade), label);
        buf_printf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", p->left + LEFT, y, right);
        buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                   p->left + LEFT - 6, y + 4, label);
    }
    buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", right,
               bottom + 34, x_name);
}

/* What grows in proportion would lie along this line through the first point. */
static void draw_proportion(struct buf *out, const struct panel *p, const json_t *points) {
    double x = point_at(points, 0, 0), y = point_at(points, 0, 1);
    double room = fmin(p->x_to - log10(x), p->y_to - log10(y));
    buf_printf(out, "<path class=\"proportion\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", place_x(p, x),
               place_y(p, y), place_x(p, x * pow(10, room)), place_y(p, y * pow(10, room)));
}

static void draw_curve(struct buf *out, const struct panel *p, const json_t *points) {
    char label[LABEL_MAX];
    buf_append_str(out, "<path class=\"curve\" d=\"");
    for (size_t i = 0; i < json_array_size(points); i++)
        buf_printf(out, "%c%.1f %.1f", i == 0 ? 'M' : 'L', place_x(p, point_at(points, i, 0)),
                   place_y(p, point_at(points, i, 1)));
    buf_append_str(out, "\"/>\n");
    size_t last = json_array_size(points) - 1;
    for (size_t i = 0; i <= last; i++) {
        double x = place_x(p, point_at(points, i, 0)), y = place_y(p, point_at(points, i, 1));
        bool at_end = i == 0 || i == last; /* clear of the axis, and of the point before */
        label_of(point_at(points, i, 1), label);
        buf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", x, y);
        buf_printf(out, "<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s",
                   at_end ? x + 5 : x, y - 8, at_end ? "start" : "middle", label);
        buf_append_str(out, "</text>\n");
    }
}

static void draw_panel(struct buf *out, size_t number, const char *x_name, const char *name,
                       const json_t *curve) {
    const json_t *points = json_object_get(curve, "points");
    struct panel p = {.left = (double)(number % ACROSS) * PANEL_W,
                      .top = (double)(number / ACROSS) * PANEL_H};
    find_decades(points, 0, &p.x_from, &p.x_to);
    find_decades(points, 1, &p.y_from, &p.y_to);
    buf_printf(out, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\">%s, %s</text>\n", p.left + 12,
               p.top + 22, name, json_string_value(json_object_get(curve, "unit")));
    draw_axes(out, &p, x_name);
    draw_proportion(out, &p, points);
    draw_curve(out, &p, points);
}

static void draw(struct buf *out, const char *x_name, json_t *curves) {
    static const char style[] =
        "<style>text{font:11px sans-serif;fill:#222}.title{font-weight:bold}.value{font-size:10px}"
        ".grid{stroke:#ddd}.proportion{stroke:#777;stroke-dasharray:4 4}"
        ".curve{fill:none;stroke:#114477;stroke-width:2}circle{fill:#114477}</style>\n";
    size_t count = json_object_size(curves), number = 0;
    size_t rows = (count + ACROSS - 1) / ACROSS;
    const char *name;
    json_t *curve;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %zu\" role=\"img\">\n",
               ACROSS * PANEL_W, rows * PANEL_H + 24);
    buf_printf(out, "<title>Growth with the number of %s</title>\n", x_name);
    buf_append_str(out, style);
    buf_append_str(out, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
    json_object_foreach(curves, name, curve) {
        draw_panel(out, number++, x_name, name, curve);
    }
    buf_printf(out,
               "<text x=\"12\" y=\"%zu\">Both axes are logarithmic. Dashed: what would grow in "
               "proportion.</text>\n</svg>\n",
               rows * PANEL_H + 12);
}

enum err chart_write(const char *x_name, json_t *curves, const char *path, struct error *e) {
    struct buf out;
    buf_init(&out, CHART_MAX_BYTES);
    draw(&out, x_name, curves);
    enum err err = buf_failed(&out, e);
    FILE *file = err == ERR_OK ? fopen(path, "we") : NULL;
    if (err == ERR_OK &&
        (file == NULL || fwrite(out.data, 1, out.len, file) != out.len || fflush(file) != 0))
        err = error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (file != NULL)
        fclose(file);
    buf_done(&out);
    return err;
}
