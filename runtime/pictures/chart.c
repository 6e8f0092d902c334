#include "pictures/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- Numbers -- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The finite ones in front, sorted; gives their number. */
static int64_t sort_finite(double *x, int64_t n) {
    int64_t m = 0;
    for (int64_t k = 0; k < n; k++)
        if (isfinite(x[k])) x[m++] = x[k];
    if (m) qsort(x, (size_t)m, sizeof *x, by_size);
    return m;
}

static double mean_of(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += (x[k] - x[0]) / (double)n;
    return x[0] + sum;
}

static double sd_of(const double *x, int64_t n, double mean) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += (x[k] - mean) * (x[k] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

/* The range that is shown: of many numbers the middle 99 %, so that a heavy tail leaves something to see. */
typedef struct Range2 {
    double low, high;
} Range2;

static Range2 range_of(const double *sorted, int64_t n) {
    int64_t cut = n >= 200 ? n / 200 : 0;
    Range2 r = {sorted[cut], sorted[n - 1 - cut]};
    if (r.high - r.low > 0) return r;
    double margin = r.low == 0 ? 1 : 0.5 * fabs(r.low);
    return (Range2){r.low - margin, r.high + margin};
}

static void add_blanks(Buf *out, int n) {
    for (int k = 0; k < n; k++) buf_add_char(out, ' ');
}

static void trim_line(Buf *out) {
    while (out->length && out->text[out->length - 1] == ' ') out->text[--out->length] = 0;
}

static char *number(double x, char text[32]) {
    Buf b = {0};
    buf_add_number(&b, x, 4);
    strncpy(text, b.text, 31);
    text[31] = 0;
    buf_free(&b);
    return text;
}

/* low, the middle and high under `width` columns. */
static void add_scale(const Chart *c, Range2 r, int indent, int width) {
    char low[32], middle[32], high[32];
    int nl = (int)strlen(number(r.low, low)), nm = (int)strlen(number(0.5 * (r.low + r.high), middle)), nh = (int)strlen(number(r.high, high));
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

static void add_left_out(const Chart *c, int64_t n) {
    if (n > 0) buf_printf(c->out, "\n%lld not finite, left out", (long long)n);
}

static bool nothing_left(const Chart *c, int64_t m) {
    if (m == 0) buf_add(c->out, "nothing to show: no number is finite");
    return m == 0;
}

/* -- Histograms -- */

/* A column cell filled by `eighths` of 8 from below. */
static void add_block(const Chart *c, int eighths) {
    static const char *const ascii[] = {" ", ".", ".", ":", ":", "|", "|", "#", "#"};
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    buf_add(c->out, (c->ascii ? ascii : blocks)[eighths < 0 ? 0 : eighths > 8 ? 8 : eighths]);
}

static void count_bins(const double *x, int64_t n, Range2 r, int bins, double *count) {
    memset(count, 0, sizeof *count * (size_t)bins);
    for (int64_t k = 0; k < n; k++) {
        if (x[k] < r.low || x[k] > r.high) continue;
        int bin = (int)((x[k] - r.low) / (r.high - r.low) * bins);
        count[bin < bins ? bin : bins - 1]++;
    }
}

static double largest(const double *x, int n) {
    double most = 0;
    for (int k = 0; k < n; k++) most = fmax(most, x[k]);
    return most;
}

/* Few whole numbers have a bar each. */
enum { MOST_BARS = 16 };

static bool are_few_integers(const double *sorted, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        if (sorted[k] != rint(sorted[k])) return false;
    return sorted[n - 1] - sorted[0] < MOST_BARS;
}

static void add_bar(const Chart *c, double length) {
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int whole = (int)length;
    for (int k = 0; k < whole; k++) buf_add(c->out, c->ascii ? "#" : "█");
    if (!c->ascii) buf_add(c->out, parts[(int)(8 * (length - whole))]);
}

static void show_bars(const Chart *c, const double *sorted, int64_t n) {
    double count[MOST_BARS] = {0};
    char text[32];
    int bars = (int)(sorted[n - 1] - sorted[0]) + 1, widest = 0;
    for (int64_t k = 0; k < n; k++) count[(int)(sorted[k] - sorted[0])]++;
    for (int k = 0; k < bars; k++) {
        int length = (int)strlen(number(sorted[0] + k, text));
        widest = length > widest ? length : widest;
    }
    double most = largest(count, bars);
    for (int k = 0; k < bars; k++) {
        buf_printf(c->out, "%s%*s %6.4f ", k ? "\n" : "", widest, number(sorted[0] + k, text), count[k] / (double)n);
        add_bar(c, count[k] / most * (c->width - widest - 8));
    }
}

void chart_histogram(const Chart *c, double *x, int64_t n) {
    int64_t m = sort_finite(x, n);
    if (nothing_left(c, m)) return;
    if (are_few_integers(x, m)) {
        show_bars(c, x, m);
        add_left_out(c, n - m);
        return;
    }
    int bins = c->width;
    if (m < 40 * bins) bins = (int)(m / 40 > 10 ? m / 40 : 10); /* some forty to a bin, but ten bins */
    int wide = c->width / bins;
    double *count = calloc((size_t)bins, sizeof *count);
    if (!count) return;
    Range2 r = range_of(x, m);
    count_bins(x, m, r, bins, count);
    double most = largest(count, bins);
    for (int row = CHART_ROWS - 1; row >= 0; row--) {
        for (int k = 0; k < bins * wide; k++) add_block(c, (int)lround(8 * CHART_ROWS * count[k / wide] / most) - 8 * row);
        trim_line(c->out);
        buf_add_char(c->out, '\n');
    }
    add_scale(c, r, 0, bins * wide);
    add_left_out(c, n - m);
    free(count);
}

void chart_row(const Chart *c, const char *name, int label, double *x, int64_t n) {
    enum { BINS = 32 };
    double count[BINS];
    int64_t m = sort_finite(x, n);
    buf_printf(c->out, "%-*s ", label, name);
    if (nothing_left(c, m)) return;
    int bins = c->width - label - 30 < BINS ? c->width - label - 30 : BINS;
    if (bins < 8) bins = 8;
    char low[32], high[32], mean[32], sd[32];
    Range2 r = range_of(x, m);
    count_bins(x, m, r, bins, count);
    double most = largest(count, bins), middle = mean_of(x, m);
    buf_printf(c->out, "%9s ", number(r.low, low));
    for (int k = 0; k < bins; k++) add_block(c, (int)ceil(8 * count[k] / most));
    buf_printf(c->out, " %-9s %s +- %s", number(r.high, high), number(middle, mean), number(sd_of(x, m, middle), sd));
}

/* -- Curves -- */

typedef struct Canvas {
    int columns, rows;  /* cells */
    int across, down;   /* dots of a cell */
    unsigned char *dots;
} Canvas;

static void set_dot(Canvas *v, int x, int y) {
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int column = x / v->across, row = y / v->down;
    if (x < 0 || y < 0 || column >= v->columns || row >= v->rows) return;
    v->dots[row * v->columns + column] |= bits[y % v->down][x % v->across];
}

static void add_dots(const Chart *c, unsigned char bits) {
    if (bits == 0)
        buf_add_char(c->out, ' ');
    else if (c->ascii)
        buf_add_char(c->out, '*');
    else
        buf_add_bytes(c->out, (const char[]){(char)0xE2, (char)(0xA0 + (bits >> 6)), (char)(0x80 + (bits & 63))}, 3);
}

static void draw_line(Canvas *v, int x0, int y0, int x1, int y1) {
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);
    for (int k = 0; k <= steps; k++)
        set_dot(v, x0 + (steps ? (int)lround((double)k * (x1 - x0) / steps) : 0), y0 + (steps ? (int)lround((double)k * (y1 - y0) / steps) : 0));
}

static bool finite_range(const double *x, const double *y, int64_t n, Range2 *r) {
    *r = (Range2){INFINITY, -INFINITY};
    for (int64_t k = 0; k < n; k++)
        if (isfinite(x[k]) && isfinite(y[k])) r->low = fmin(r->low, x[k]), r->high = fmax(r->high, x[k]);
    if (!(r->low <= r->high)) return false;
    if (r->low == r->high) r->low -= r->low == 0 ? 1 : 0.5 * fabs(r->low), r->high += r->high == 0 ? 1 : 0.5 * fabs(r->high);
    return true;
}

static void draw_points(Canvas *v, const double *x, const double *y, int64_t n, Range2 rx, Range2 ry, bool joined) {
    int width = v->columns * v->across - 1, height = v->rows * v->down - 1, px = 0, py = 0;
    bool before = false;
    for (int64_t k = 0; k < n; k++) {
        bool fine = isfinite(x[k]) && isfinite(y[k]);
        int qx = fine ? (int)lround((x[k] - rx.low) / (rx.high - rx.low) * width) : 0;
        int qy = fine ? (int)lround((ry.high - y[k]) / (ry.high - ry.low) * height) : 0;
        if (fine && joined && before)
            draw_line(v, px, py, qx, qy);
        else if (fine)
            set_dot(v, qx, qy);
        px = qx, py = qy, before = fine;
    }
}

void chart_points(const Chart *c, const double *x, const double *y, int64_t n, bool joined) {
    Range2 rx, ry;
    if (!finite_range(x, y, n, &rx) || !finite_range(y, x, n, &ry)) {
        nothing_left(c, 0);
        return;
    }
    char low[32], high[32];
    int nl = (int)strlen(number(ry.low, low)), nh = (int)strlen(number(ry.high, high)), margin = (nl > nh ? nl : nh) + 1;
    Canvas v = {c->width - margin, CHART_CURVE_ROWS, c->ascii ? 1 : 2, c->ascii ? 1 : 4, NULL};
    v.dots = calloc((size_t)(v.columns * v.rows), 1);
    if (!v.dots) return;
    draw_points(&v, x, y, n, rx, ry, joined);
    for (int row = 0; row < v.rows; row++) {
        buf_printf(c->out, "%*s ", margin - 1, row == 0 ? high : row == v.rows - 1 ? low : "");
        for (int k = 0; k < v.columns; k++) add_dots(c, v.dots[row * v.columns + k]);
        trim_line(c->out);
        buf_add_char(c->out, '\n');
    }
    add_scale(c, rx, margin, v.columns);
    free(v.dots);
}

void chart_density(const Chart *c, double *x, int64_t n) {
    enum { POINTS = 200 };
    int64_t m = sort_finite(x, n);
    if (nothing_left(c, m)) return;
    double sd = sd_of(x, m, mean_of(x, m)), spread = (x[m - 1 - m / 4] - x[m / 4]) / 1.349;
    double h = 0.9 * (spread > 0 ? fmin(sd, spread) : sd) * pow((double)m, -0.2);
    if (!(h > 0)) {
        chart_histogram(c, x, m);
        return;
    }
    Range2 r = range_of(x, m);
    double at[POINTS], density[POINTS];
    for (int k = 0; k < POINTS; k++) {
        at[k] = r.low + (r.high - r.low) * k / (POINTS - 1);
        density[k] = 0;
        for (int64_t j = 0; j < m; j++) density[k] += exp(-0.5 * (at[k] - x[j]) * (at[k] - x[j]) / (h * h));
        density[k] /= (double)m * h * 2.5066282746310002;
    }
    chart_points(c, at, density, POINTS, true);
    add_left_out(c, n - m);
}
