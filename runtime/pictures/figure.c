#include "pictures/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- Numbers -- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What can be shown: finite, and such that differences are. */
static bool is_drawn(double v) { return fabs(v) <= 1e300; }

/* These, sorted; *m is their number. */
static double *sort_drawn(Arena *a, const double *x, int64_t n, int64_t *m) {
    double *sorted = ARENA_ARRAY(a, double, n + 1);
    *m = 0;
    for (int64_t k = 0; k < n; k++)
        if (is_drawn(x[k])) sorted[(*m)++] = x[k];
    if (*m) qsort(sorted, (size_t)*m, sizeof *sorted, by_size);
    return sorted;
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

static Extent widened(double low, double high) {
    static const double tiny = 1e-300,
                        close = 1e-12; /* gnuplot draws nothing of denormal numbers, nor of what is closer */
    double size = fmax(fabs(low), fabs(high)), margin = high - low > tiny && high - low > close * size ? 0
                                                        : size > tiny                                  ? 0.5 * size
                                                                                                       : 1;
    return (Extent){low - margin, high + margin};
}

/* Of many numbers the middle 99 %, so that a heavy tail leaves something to see. */
static Extent middle_of(const double *sorted, int64_t n) {
    int64_t cut = n >= 200 ? n / 200 : 0;
    return widened(sorted[cut], sorted[n - 1 - cut]);
}

/* Interpolated between neighbours, as `quantile` of the language does it. */
static double quantile_of(const double *sorted, int64_t n, double p) {
    double at = p * (double)(n - 1);
    int64_t k = (int64_t)at;
    return k + 1 < n ? sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

/* -- What is counted -- */

static Panel count_parts(Arena *a, const double *sorted, int64_t m, int parts) {
    Panel p = {.kind = PANEL_HISTOGRAM, .x = middle_of(sorted, m), .nbars = parts};
    p.bars = ARENA_ARRAY(a, double, parts);
    memset(p.bars, 0, sizeof *p.bars * (size_t)parts);
    for (int64_t k = 0; k < m; k++) {
        if (sorted[k] < p.x.low || sorted[k] > p.x.high) continue;
        int part = (int)((sorted[k] - p.x.low) / (p.x.high - p.x.low) * parts);
        p.bars[part < parts ? part : parts - 1]++;
    }
    return p;
}

/* Few whole numbers have a bar each. */
enum { MOST_SHARES = 16 };

static bool are_few_integers(const double *sorted, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        if (sorted[k] != rint(sorted[k])) return false;
    return sorted[n - 1] - sorted[0] < MOST_SHARES;
}

static Panel count_shares(Arena *a, const double *sorted, int64_t m) {
    Panel p = {.kind = PANEL_SHARES, .first = sorted[0], .nbars = (int)(sorted[m - 1] - sorted[0]) + 1};
    p.bars = ARENA_ARRAY(a, double, p.nbars);
    memset(p.bars, 0, sizeof *p.bars * (size_t)p.nbars);
    for (int64_t k = 0; k < m; k++) p.bars[(int)(sorted[k] - sorted[0])]++;
    for (int k = 0; k < p.nbars; k++) p.bars[k] /= (double)m;
    p.x = (Extent){p.first - 0.5, p.first + p.nbars - 0.5};
    return p;
}

static Panel with_moments(Panel p, const double *sorted, int64_t m, int64_t n) {
    p.mean = mean_of(sorted, m);
    p.sd = sd_of(sorted, m, p.mean);
    p.left_out = n - m;
    return p;
}

Panel panel_histogram(Arena *a, const double *x, int64_t n, int parts) {
    enum { IN_A_PART = 40, FEWEST = 10 };
    int64_t m;
    double *sorted = sort_drawn(a, x, n, &m);
    if (m == 0) return (Panel){.nothing = true, .left_out = n};
    if (are_few_integers(sorted, m)) return with_moments(count_shares(a, sorted, m), sorted, m, n);
    if (m < (int64_t)IN_A_PART * parts) parts = (int)(m / IN_A_PART > FEWEST ? m / IN_A_PART : FEWEST);
    return with_moments(count_parts(a, sorted, m, parts), sorted, m, n);
}

Panel panel_parts(Arena *a, const double *x, int64_t n, int parts) {
    int64_t m;
    double *sorted = sort_drawn(a, x, n, &m);
    if (m == 0) return (Panel){.nothing = true, .left_out = n};
    bool whole = are_few_integers(sorted, m) && sorted[m - 1] - sorted[0] < parts;
    return with_moments(whole ? count_shares(a, sorted, m) : count_parts(a, sorted, m, parts), sorted, m, n);
}

/* -- Curves -- */

void panel_add(Panel *p, Series s) { p->series[p->nseries++] = s; }

static void extend(Extent *r, double v) { r->low = fmin(r->low, v), r->high = fmax(r->high, v); }

void panel_fit(Panel *p) {
    Extent x = {INFINITY, -INFINITY}, y = x;
    for (int k = 0; k < p->nseries; k++) {
        const Series *s = &p->series[k];
        for (int64_t j = 0; j < s->n; j++) {
            if (!is_drawn(s->x[j]) || !is_drawn(s->y[j]) || (s->high && !is_drawn(s->high[j]))) continue;
            extend(&x, s->x[j]);
            extend(&y, s->y[j]);
            if (s->high) extend(&y, s->high[j]);
        }
    }
    p->nothing = !(x.low <= x.high);
    if (p->nothing) return;
    p->x = widened(x.low, x.high), p->y = widened(y.low, y.high);
}

Panel panel_points(const double *x, const double *y, int64_t n, bool points, bool joined) {
    Panel p = {.kind = PANEL_CURVES};
    if (joined) panel_add(&p, (Series){.mark = MARK_LINE, .x = x, .y = y, .n = n});
    if (points) panel_add(&p, (Series){.mark = MARK_POINTS, .x = x, .y = y, .n = n});
    panel_fit(&p);
    for (int64_t k = 0; k < n; k++) p.left_out += !is_drawn(x[k]) || !is_drawn(y[k]);
    return p;
}

Panel panel_density(Arena *a, const double *x, int64_t n) {
    enum { POINTS = 200 };
    int64_t m;
    double *sorted = sort_drawn(a, x, n, &m);
    if (m == 0) return (Panel){.nothing = true, .left_out = n};
    double sd = sd_of(sorted, m, mean_of(sorted, m)), spread = (sorted[m - 1 - m / 4] - sorted[m / 4]) / 1.349;
    double h = 0.9 * (spread > 0 ? fmin(sd, spread) : sd) * pow((double)m, -0.2);
    if (!(h > 0)) return panel_histogram(a, x, n, HISTOGRAM_FILE);
    Extent r = middle_of(sorted, m);
    double *at = ARENA_ARRAY(a, double, POINTS), *density = ARENA_ARRAY(a, double, POINTS);
    for (int k = 0; k < POINTS; k++) {
        at[k] = r.low + (r.high - r.low) * k / (POINTS - 1);
        density[k] = 0;
        for (int64_t j = 0; j < m; j++) density[k] += exp(-0.5 * (at[k] - sorted[j]) * (at[k] - sorted[j]) / (h * h));
        density[k] /= (double)m * h * 2.5066282746310002;
    }
    Panel p = panel_points(at, density, POINTS, false, true);
    p.y.low = 0;
    p.left_out = n - m;
    return p;
}

void panel_cut_start(Arena *a, Panel *p, const double *y, int64_t n) {
    int64_t m;
    double *later = sort_drawn(a, y + n / 10, n - n / 10, &m);
    if (m < 10) return;
    double low = p->y.high - 1.5 * (p->y.high - later[0]);
    if (low > p->y.low && low < p->y.high) p->y.low = low;
}

Panel panel_trace(Arena *a, const double *y, int64_t n) {
    enum { STRETCHES = 200 };
    int64_t length = (n + STRETCHES - 1) / STRETCHES, m = length ? (n + length - 1) / length : 0;
    double *x = ARENA_ARRAY(a, double, m + 1), *mean = ARENA_ARRAY(a, double, m + 1);
    double *low = ARENA_ARRAY(a, double, m + 1), *high = ARENA_ARRAY(a, double, m + 1);
    for (int64_t k = 0; k < m; k++) {
        int64_t first = k * length, end = first + length < n ? first + length : n;
        x[k] = 0.5 * (double)(first + 1 + end); /* steps count from 1 */
        int64_t drawn;
        double *sorted = sort_drawn(a, y + first, end - first, &drawn);
        mean[k] = drawn ? mean_of(sorted, drawn) : NAN;
        low[k] = drawn ? quantile_of(sorted, drawn, 0.05) : NAN,
        high[k] = drawn ? quantile_of(sorted, drawn, 0.95) : NAN;
    }
    Panel p = {.kind = PANEL_CURVES};
    if (length > 1)
        panel_add(&p, (Series){.mark = MARK_BAND, .name = "90 % of them", .x = x, .y = low, .high = high, .n = m});
    panel_add(&p, (Series){.mark = MARK_LINE,
                           .name = length > 1 ? arena_printf(a, "mean of %lld steps", (long long)length) : NULL,
                           .x = x,
                           .y = mean,
                           .n = m});
    panel_fit(&p);
    if (!p.nothing) panel_cut_start(a, &p, low, m), p.x = widened(1, (double)n);
    return p;
}

/* -- Comparisons -- */

enum { QUANTILES = 5 };

Panel panel_predictive(Arena *a, const double *x, const double *y, int64_t n, const double *draws, int64_t ndraws) {
    static const double levels[QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};
    double *q[QUANTILES], *column = ARENA_ARRAY(a, double, ndraws + 1);
    for (int l = 0; l < QUANTILES; l++) q[l] = ARENA_ARRAY(a, double, n + 1);
    int64_t observed = 0, within[2] = {0, 0};
    for (int64_t k = 0; k < n; k++) {
        int64_t m = 0;
        for (int64_t j = 0; j < ndraws; j++)
            if (is_drawn(draws[j * n + k])) column[m++] = draws[j * n + k];
        if (m) qsort(column, (size_t)m, sizeof *column, by_size);
        for (int l = 0; l < QUANTILES; l++) q[l][k] = m ? quantile_of(column, m, levels[l]) : NAN;
        if (!is_drawn(y[k])) continue;
        observed++;
        within[0] += y[k] >= q[0][k] && y[k] <= q[4][k];
        within[1] += y[k] >= q[1][k] && y[k] <= q[3][k];
    }
    Panel p = {.kind = PANEL_CURVES, .left_out = n - observed};
    const double share = observed ? 100.0 / (double)observed : 0;
    panel_add(&p, (Series){MARK_BAND, arena_printf(a, "90 %% of draws (%.0f %% of data)", share * (double)within[0]), x,
                           q[0], q[4], n, 0});
    panel_add(&p,
              (Series){MARK_BAND, arena_printf(a, "50 %% (%.0f %%)", share * (double)within[1]), x, q[1], q[3], n, 0});
    panel_add(&p, (Series){MARK_LINE, "median", x, q[2], NULL, n, 0});
    panel_add(&p, (Series){MARK_POINTS, "data", x, y, NULL, n, 0});
    panel_fit(&p);
    return p;
}

Panel panel_correlation(Arena *a, const double *x, const double *y, int64_t n) {
    double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    int64_t m = 0;
    for (int64_t k = 0; k < n; k++)
        if (is_drawn(x[k]) && is_drawn(y[k])) sx += x[k], sy += y[k], m++;
    for (int64_t k = 0; k < n; k++) {
        if (!is_drawn(x[k]) || !is_drawn(y[k])) continue;
        double dx = x[k] - sx / (double)m, dy = y[k] - sy / (double)m;
        sxx += dx * dx, syy += dy * dy, sxy += dx * dy;
    }
    const char *text = sxx > 0 && syy > 0 ? arena_printf(a, "r = %.2f", sxy / sqrt(sxx) / sqrt(syy)) : "r: none";
    return (Panel){.kind = PANEL_TEXT, .room = ROOM_PLACE, .title = text};
}

Panel panel_empty(void) { return (Panel){.kind = PANEL_EMPTY, .room = ROOM_PLACE}; }
