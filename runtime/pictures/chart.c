#include "pictures/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHART_ROWS = 8, CHART_CURVE_ROWS = 12 };

/* -- Text -- */

static void add_blanks(Buf *out, int n) {
    for (int k = 0; k < n; k++) buf_add_char(out, ' ');
}

static void trim_line(Buf *out) {
    while (out->length && out->text[out->length - 1] == ' ') out->text[--out->length] = 0;
}

/* Characters of a text in UTF-8. */
static int width_of(const char *s, size_t bytes) {
    int n = 0;
    for (size_t k = 0; k < bytes; k++) n += (s[k] & 0xC0) != 0x80;
    return n;
}

static char *number(double x, char text[32]) {
    Buf b = {0};
    buf_add_number(&b, x, 4);
    strncpy(text, b.text, 31);
    text[31] = 0;
    buf_free(&b);
    return text;
}

/* low, the middle (where there is room) and high under `width` columns. */
static void add_scale(const Chart *c, Extent r, int indent, int width) {
    char low[32], middle[32], high[32];
    int nl = (int)strlen(number(r.low, low)), nm = (int)strlen(number(0.5 * (r.low + r.high), middle)),
        nh = (int)strlen(number(r.high, high));
    add_blanks(c->out, indent);
    buf_add(c->out, low);
    int before = width / 2 - nm / 2 - nl, after = width - nh - (width / 2 - nm / 2 + nm);
    if (before < 1 || after < 1) {
        add_blanks(c->out, width - nl - nh > 1 ? width - nl - nh : 1);
    } else {
        add_blanks(c->out, before);
        buf_add(c->out, middle);
        add_blanks(c->out, after);
    }
    buf_add(c->out, high);
}

/* -- Counts -- */

/* A column cell filled by `eighths` of 8 from below. */
static void add_block(const Chart *c, int eighths) {
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    buf_add(c->out, (c->ascii ? ascii : blocks)[eighths < 0 ? 0 : eighths > 8 ? 8 : eighths]);
}

static double largest(const double *x, int n) {
    double most = 0;
    for (int k = 0; k < n; k++) most = fmax(most, x[k]);
    return most;
}

static void add_bar(const Chart *c, double length) {
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int whole = (int)length;
    for (int k = 0; k < whole; k++) buf_add(c->out, c->ascii ? "#" : "█");
    if (!c->ascii) buf_add(c->out, parts[(int)(8 * (length - whole))]);
}

static void add_shares(const Chart *c, const Panel *p) {
    char text[32];
    int widest = 0;
    for (int k = 0; k < p->nbars; k++) {
        int length = (int)strlen(number(p->first + k, text));
        widest = length > widest ? length : widest;
    }
    double most = largest(p->bars, p->nbars);
    for (int k = 0; k < p->nbars; k++) {
        buf_printf(c->out, "%s%*s %6.4f ", k ? "\n" : "", widest, number(p->first + k, text), p->bars[k]);
        add_bar(c, p->bars[k] / most * (c->width - widest - 8));
    }
}

/* Of whole numbers the first and the last, else the ends of the range. */
static Extent ends_of(const Panel *p) {
    return p->kind == PANEL_SHARES ? (Extent){p->first, p->first + p->nbars - 1} : p->x;
}

static void add_histogram(const Chart *c, const Panel *p, int rows) {
    int wide = c->width / p->nbars;
    double most = largest(p->bars, p->nbars);
    for (int row = rows - 1; row >= 0; row--) {
        for (int k = 0; k < p->nbars * wide; k++)
            add_block(c, (int)lround(8 * rows * p->bars[k / wide] / most) - 8 * row);
        trim_line(c->out);
        buf_add_char(c->out, '\n');
    }
    add_scale(c, ends_of(p), 0, p->nbars * wide);
}

int chart_line_parts(int width, int label) {
    int parts = width - label - 30;
    return parts < 8 ? 8 : parts > 32 ? 32 : parts;
}

/* Blocks with mean and standard deviation behind a name of `label` characters. */
static void add_line(const Chart *c, const Panel *p, int label) {
    char low[32], high[32], mean[32], sd[32];
    buf_add(c->out, p->title);
    add_blanks(c->out, label - width_of(p->title, strlen(p->title)) + 1);
    if (p->nothing) {
        buf_add(c->out, "nothing to show: no number is finite");
        return;
    }
    double most = largest(p->bars, p->nbars);
    int wide = chart_line_parts(c->width, label) / p->nbars;
    Extent x = ends_of(p);
    buf_printf(c->out, "%9s ", number(x.low, low));
    for (int k = 0; k < p->nbars * wide; k++) add_block(c, (int)ceil(8 * p->bars[k / wide] / most));
    buf_printf(c->out, " %-9s %s +- %s", number(x.high, high), number(p->mean, mean), number(p->sd, sd));
}

/* -- Curves -- */

typedef struct Cell {
    unsigned char dots; /* of lines, and of points that are many and alone */
    bool point;         /* a circle, over lines and bands */
    int bands;          /* how many there are */
    char sign;          /* of the last line that comes through, where lines have signs */
} Cell;

typedef struct Canvas {
    int columns, rows; /* cells */
    int across, down;  /* dots of a cell */
    Cell *cells;
    Extent x, y;
    char sign; /* of what is being drawn */
} Canvas;

static Cell *cell_at(Canvas *v, int x, int y) {
    int column = x / v->across, row = y / v->down;
    return x < 0 || y < 0 || column >= v->columns || row >= v->rows ? NULL : &v->cells[row * v->columns + column];
}

static void set_dot(Canvas *v, int x, int y) {
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    Cell *cell = cell_at(v, x, y);
    if (cell) cell->dots |= bits[y % v->down][x % v->across], cell->sign = v->sign;
}

static void draw_line(Canvas *v, int x0, int y0, int x1, int y1) {
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);
    for (int k = 0; k <= steps; k++)
        set_dot(v, x0 + (steps ? (int)lround((double)k * (x1 - x0) / steps) : 0),
                y0 + (steps ? (int)lround((double)k * (y1 - y0) / steps) : 0));
}

/* The dot of v between 0 and dots - 1; what lies outside stays near. */
static int dot_of(double v, double first, double last, int dots) {
    return (int)lround(fmin(fmax((v - first) / (last - first), -1), 2) * (dots - 1));
}
static int across_of(const Canvas *v, double x) { return dot_of(x, v->x.low, v->x.high, v->columns * v->across); }
static int down_of(const Canvas *v, double y) { return dot_of(y, v->y.high, v->y.low, v->rows * v->down); }

static bool is_there(const Series *s, int64_t k) {
    return isfinite(s->x[k]) && isfinite(s->y[k]) && (!s->high || isfinite(s->high[k]));
}

/* In every column of cells, between its two ends there. */
static void draw_band(Canvas *v, const Series *s) {
    int64_t k = 0;
    for (int column = 0; column < v->columns; column++) {
        double x = v->x.low + (v->x.high - v->x.low) * (column + 0.5) / v->columns;
        while (k + 2 < s->n && s->x[k + 1] < x) k++;
        int64_t j = k + 1 < s->n ? k + 1 : k;
        if (!is_there(s, k) || !is_there(s, j)) continue;
        double w = s->x[j] > s->x[k] ? fmin(fmax((x - s->x[k]) / (s->x[j] - s->x[k]), 0), 1) : 0;
        int bottom = down_of(v, (1 - w) * s->y[k] + w * s->y[j]),
            top = down_of(v, (1 - w) * s->high[k] + w * s->high[j]);
        for (int row = 0; row < v->rows; row++)
            v->cells[row * v->columns + column].bands += row * v->down <= bottom && (row + 1) * v->down > top;
    }
}

/* Points are circles, or `as_dots`. */
static void draw_series(Canvas *v, const Series *s, bool as_dots) {
    int px = 0, py = 0;
    bool before = false;
    v->sign = s->sign;
    for (int64_t k = 0; k < s->n; k++) {
        bool there = is_there(s, k);
        int qx = there ? across_of(v, s->x[k]) : 0, qy = there ? down_of(v, s->y[k]) : 0;
        if (there && s->mark == MARK_LINE && before)
            draw_line(v, px, py, qx, qy);
        else if (there && (s->mark == MARK_LINE || as_dots))
            set_dot(v, qx, qy);
        else if (there && cell_at(v, qx, qy))
            cell_at(v, qx, qy)->point = true;
        px = qx, py = qy, before = there;
    }
}

/* One cell, or one sign of the key. */
static void add_cell(const Chart *c, Cell cell) {
    static const char *const plain[] = {" ", ".", ":"}, *const shades[] = {" ", "░", "▒"};
    if (cell.point)
        buf_add_char(c->out, 'o');
    else if (cell.dots && cell.sign)
        buf_add_char(c->out, cell.sign);
    else if (cell.dots && c->ascii)
        buf_add_char(c->out, '*');
    else if (cell.dots)
        buf_add_bytes(c->out,
                      (const char[]){(char)0xE2, (char)(0xA0 + (cell.dots >> 6)), (char)(0x80 + (cell.dots & 63))}, 3);
    else
        buf_add(c->out, (c->ascii ? plain : shades)[cell.bands < 2 ? cell.bands : 2]);
}

/* Points that are alone and many are dots. */
static Canvas draw_curves(const Chart *c, const Panel *p, int columns, int rows) {
    enum { FEW = 60 };
    Canvas v = {columns, rows, c->ascii ? 1 : 2, c->ascii ? 1 : 4, NULL, p->x, p->y, 0};
    v.cells = calloc((size_t)(columns * rows), sizeof *v.cells);
    for (int k = 0; v.cells && k < p->nseries; k++) {
        if (p->series[k].mark == MARK_BAND)
            draw_band(&v, &p->series[k]);
        else
            draw_series(&v, &p->series[k], p->nseries == 1 && (c->ascii || p->series[k].n > FEW));
    }
    return v;
}

static void add_row(const Chart *c, const Canvas *v, int row) {
    for (int k = 0; k < v->columns; k++) add_cell(c, v->cells[row * v->columns + k]);
    trim_line(c->out);
}

/* The names of the series behind their signs, as many to a line as there is room for. */
static void add_key(const Chart *c, const Panel *p) {
    int bands = 0, column = c->width;
    for (int k = 0; k < p->nseries; k++) {
        const Series *s = &p->series[k];
        bands += s->mark == MARK_BAND;
        if (!s->name) continue;
        int width = 2 + width_of(s->name, strlen(s->name));
        bool fits = column + 3 + width <= c->width;
        buf_add(c->out, fits ? "   " : "\n");
        column = fits ? column + 3 + width : width;
        add_cell(c, (Cell){.dots = s->mark == MARK_LINE ? 0x12 : 0,
                           .point = s->mark == MARK_POINTS,
                           .bands = bands,
                           .sign = s->sign});
        buf_printf(c->out, " %s", s->name);
    }
}

static void add_curves(const Chart *c, const Panel *p) {
    char low[32], high[32];
    int nl = (int)strlen(number(p->y.low, low)), nh = (int)strlen(number(p->y.high, high)),
        margin = (nl > nh ? nl : nh) + 1;
    Canvas v = draw_curves(c, p, c->width - margin, CHART_CURVE_ROWS);
    if (!v.cells) return;
    for (int row = 0; row < v.rows; row++) {
        buf_printf(c->out, "%*s ", margin - 1, row == 0 ? high : row == v.rows - 1 ? low : "");
        add_row(c, &v, row);
        buf_add_char(c->out, '\n');
    }
    free(v.cells);
    add_scale(c, v.x, margin, v.columns);
    add_key(c, p);
}

/* -- Panels -- */

static void add_whole(const Chart *c, const Panel *p) {
    if (p->title) buf_printf(c->out, "%s\n", p->title);
    if (p->nothing) {
        buf_add(c->out, "nothing to show: no number is finite");
        return;
    }
    if (p->kind == PANEL_SHARES) add_shares(c, p);
    if (p->kind == PANEL_HISTOGRAM) add_histogram(c, p, CHART_ROWS);
    if (p->kind == PANEL_CURVES) add_curves(c, p);
    if (p->left_out > 0) buf_printf(c->out, "\n%lld not finite, left out", (long long)p->left_out);
}

/* A panel within `rows` lines, each with its end; what is shorter ends with empty ones. */
static void add_place(const Chart *c, const Panel *p, int rows) {
    if (p->kind == PANEL_TEXT) {
        for (int k = 0; k < rows / 2; k++) buf_add_char(c->out, '\n');
        add_blanks(c->out, (c->width - width_of(p->title, strlen(p->title))) / 2);
        buf_printf(c->out, "%s\n", p->title);
    } else if (p->nothing) {
        buf_printf(c->out, "%s%sno finite number\n", p->title ? p->title : "", p->title ? "\n" : "");
    } else if (p->kind == PANEL_CURVES) {
        Canvas v = draw_curves(c, p, c->width, rows);
        for (int row = 0; v.cells && row < rows; row++, buf_add_char(c->out, '\n')) add_row(c, &v, row);
        free(v.cells);
    } else if (p->kind == PANEL_HISTOGRAM || p->kind == PANEL_SHARES) {
        buf_printf(c->out, "%s\n", p->title);
        add_histogram(c, p, rows - 2);
        buf_add_char(c->out, '\n');
    }
}

enum { PLACE_GAP = 2 };

int chart_place_width(int width, int columns) { return (width - PLACE_GAP * (columns - 1)) / columns; }

/* `n` panels side by side. */
static void add_places(const Chart *c, const Panel *p, int n, int columns) {
    enum { LOWEST = 5, HIGHEST = 10 };
    int width = chart_place_width(c->width, columns), rows = width / 2;
    rows = rows < LOWEST ? LOWEST : rows > HIGHEST ? HIGHEST : rows;
    Buf part[n];
    const char *rest[n];
    for (int k = 0; k < n; k++) {
        part[k] = (Buf){0};
        buf_add(&part[k], "");
        add_place(&(Chart){width, c->ascii, &part[k]}, &p[k], rows);
        rest[k] = part[k].text;
    }
    for (int row = 0; row < rows; row++) {
        for (int k = 0; k < n; k++) {
            size_t length = strcspn(rest[k], "\n");
            buf_add_bytes(c->out, rest[k], length);
            add_blanks(c->out, width - width_of(rest[k], length) + PLACE_GAP);
            rest[k] += length + (rest[k][length] == '\n');
        }
        trim_line(c->out);
        if (row < rows - 1) buf_add_char(c->out, '\n');
    }
    for (int k = 0; k < n; k++) buf_free(&part[k]);
}

void chart_figure(const Chart *c, const Figure *f) {
    int label = 0;
    for (int k = 0; k < f->n; k++)
        if (f->panels[k].room == ROOM_LINE) {
            int width = width_of(f->panels[k].title, strlen(f->panels[k].title));
            label = width > label ? width : label;
        }
    if (f->title) buf_printf(c->out, "%s\n", f->title);
    for (int k = 0; k < f->n; k++) {
        const Panel *p = &f->panels[k];
        if (k) buf_add_char(c->out, '\n');
        if (p->room == ROOM_WHOLE)
            add_whole(c, p);
        else if (p->room == ROOM_LINE)
            add_line(c, p, label);
        else {
            int n = f->n - k < f->columns ? f->n - k : f->columns;
            add_places(c, p, n, f->columns);
            k += n - 1;
        }
    }
    if (f->note) buf_printf(c->out, "\n%s", f->note);
}
