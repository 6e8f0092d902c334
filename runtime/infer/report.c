#include "infer/report.h"

#include <math.h>
#include <string.h>

enum { SHOWN_FIRST = 6, SHOWN_LAST = 2, MAX_COLUMNS = 13, MAX_DECIMALS = 8 };

void report_element_name(Buf *out, const char *name, Shape shape, int skip, int64_t flat) {
    int64_t index[MAX_RANK];
    int rank = shape.rank - skip;
    buf_add(out, name);
    if (rank <= 0) return;
    for (int k = rank - 1; k >= 0; k--) {
        index[k] = flat % shape.dim[k] + 1;
        flat /= shape.dim[k];
    }
    for (int k = 0; k < rank; k++) buf_printf(out, "%c%lld", k ? ',' : '[', (long long)index[k]);
    buf_add_char(out, ']');
}

/* -- Tables: the first column to the left, the others aligned at the decimal point -- */

typedef struct Table {
    Arena *arena;
    int ncolumns;
    const char **cells; /* rows of ncolumns; a row whose second cell is NULL stands for elements left out */
    int nrows, capacity;
} Table;

static const char **table_row(Table *t) {
    if (t->nrows == t->capacity) {
        int capacity = t->capacity ? 2 * t->capacity : 32;
        const char **more = ARENA_ARRAY(t->arena, const char *, capacity * MAX_COLUMNS);
        if (t->nrows) memcpy(more, t->cells, sizeof *more * (size_t)(t->nrows * MAX_COLUMNS));
        t->cells = more;
        t->capacity = capacity;
    }
    return t->cells + (size_t)t->nrows++ * MAX_COLUMNS;
}

static int width_of(const char *s) {
    int width = 0;
    uint32_t c;
    for (size_t left = strlen(s); left > 0; width++) {
        size_t n = utf8_decode(s, left, &c);
        n = n ? n : 1;
        s += n;
        left -= n;
    }
    return width;
}

static void add_blanks(Buf *b, int n) {
    for (int k = 0; k < n; k++) buf_add_char(b, ' ');
}

static int whole_width(const char *number) { return (int)strcspn(number, ".e"); }

static void table_add(const Table *t, Buf *out) {
    int whole[MAX_COLUMNS] = {0}, rest[MAX_COLUMNS] = {0};
    for (int r = 0; r < t->nrows; r++)
        for (int k = 0; k < t->ncolumns; k++) {
            const char *cell = t->cells[r * MAX_COLUMNS + k];
            if (!cell) continue;
            /* The heading only widens the column as a whole. */
            int before = k == 0 || r == 0 ? width_of(cell) : whole_width(cell), behind = k == 0 || r == 0 ? 0 :
                         (int)strlen(cell) - before;
            if (r > 0 && before > whole[k]) whole[k] = before;
            if (behind > rest[k]) rest[k] = behind;
        }
    for (int k = 0; k < t->ncolumns; k++) {
        int heading = width_of(t->cells[k]);
        if (whole[k] + rest[k] < heading) whole[k] = heading - rest[k];
    }
    for (int r = 0; r < t->nrows; r++) {
        const char **row = t->cells + r * MAX_COLUMNS;
        buf_add_char(out, '\n');
        buf_add(out, row[0]);
        int owed = whole[0] - width_of(row[0]); /* blanks are written only in front of something */
        for (int k = 1; k < t->ncolumns && row[1]; k++) {
            if (!row[k]) continue;
            int lead = r == 0 ? whole[k] + rest[k] - width_of(row[k]) : whole[k] - whole_width(row[k]);
            add_blanks(out, owed + 2 + lead);
            buf_add(out, row[k]);
            owed = r == 0 ? 0 : rest[k] - ((int)strlen(row[k]) - whole_width(row[k]));
        }
    }
}

/* -- Cells -- */

/* `decimals` digits behind the point, or six significant digits where that (-1) or the size forbids it. */
static const char *number_text(Arena *a, double x, int decimals) {
    if (isnan(x)) return "-";
    if (!isfinite(x)) return x > 0 ? "inf" : "-inf";
    if (decimals < 0 || fabs(x) >= 1e9) return arena_printf(a, "%.6g", x);
    const char *text = arena_printf(a, "%.*f", decimals, x);
    return strspn(text, "-0.") == strlen(text) && *text == '-' ? text + 1 : text; /* no -0.00 */
}

/* Digits behind the point that show `significant` digits of an uncertainty. */
static int decimals_for(double sd, int significant) {
    if (!(sd > 0) || !isfinite(sd)) return -1;
    int decimals = significant - 1 - (int)floor(log10(sd));
    return decimals < 0 ? 0 : decimals > MAX_DECIMALS ? -1 : decimals;
}

/* One number of digits for all elements of a variable: three digits of its smallest sd (but for outliers). */
static int variable_decimals(const FitVariable *v) {
    if (!v->sd) return -1;
    int64_t n = shape_size(v->shape);
    double smallest = INFINITY, largest = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(v->sd[i]) && v->sd[i] > 0) {
            smallest = fmin(smallest, v->sd[i]);
            largest = fmax(largest, v->sd[i]);
        }
    return decimals_for(fmax(smallest, largest / 10), 3);
}

typedef enum Rule { BY_SD, WHOLE, THREE } Rule;
typedef struct Column {
    const char *heading;
    size_t offset; /* of the numbers in FitVariable */
    Rule rule;
} Column;

static const Column columns[] = {
    {"mean", offsetof(FitVariable, mean), BY_SD}, {"sd", offsetof(FitVariable, sd), BY_SD},
    {"5%", offsetof(FitVariable, q5), BY_SD},     {"50%", offsetof(FitVariable, q50), BY_SD},
    {"95%", offsetof(FitVariable, q95), BY_SD},   {"ess", offsetof(FitVariable, ess), WHOLE},
    {"rhat", offsetof(FitVariable, rhat), THREE},
};
enum { NCOLUMNS = sizeof columns / sizeof *columns };

static const double *numbers_of(const FitVariable *v, const Column *c) {
    return *(const double *const *)((const char *)v + c->offset);
}

static bool column_used(const FitReport *r, const Column *c) {
    for (int k = 0; k < r->nvariables; k++) {
        const FitVariable *v = &r->variables[k];
        const double *x = numbers_of(v, c);
        int64_t n = v->summed_out || !x ? 0 : shape_size(v->shape);
        for (int64_t i = 0; i < n; i++)
            if (!isnan(x[i])) return true;
    }
    return false;
}

/* Which elements are shown: the next after `i`, jumping over the middle of long variables. */
static int64_t next_shown(int64_t i, int64_t n, int64_t most, bool *jumped) {
    *jumped = n > most && i == SHOWN_FIRST - 1;
    return *jumped ? n - SHOWN_LAST : i + 1;
}

static const char *element_text(Arena *a, const char *name, Shape shape, int skip, int64_t flat) {
    Buf b = {0};
    report_element_name(&b, name, shape, skip, flat);
    const char *text = arena_strdup(a, b.text);
    buf_free(&b);
    return text;
}

static void add_left_out(Table *t, int64_t left_out) {
    table_row(t)[0] = arena_printf(t->arena, "... %lld more", (long long)left_out);
}

static bool add_variable(Table *t, const FitVariable *v, const Column *const *used, int64_t most) {
    int64_t n = shape_size(v->shape);
    int decimals = variable_decimals(v);
    bool jumped = false, any = false;
    for (int64_t i = 0; i < n; i = next_shown(i, n, most, &jumped)) {
        if (jumped) add_left_out(t, n - SHOWN_FIRST - SHOWN_LAST);
        any = any || jumped;
        const char **row = table_row(t);
        row[0] = element_text(t->arena, v->name, v->shape, 0, i);
        for (int k = 1; k < t->ncolumns; k++) {
            const double *x = numbers_of(v, used[k]);
            int places = used[k]->rule == WHOLE ? 0 : used[k]->rule == THREE ? 3 : decimals;
            row[k] = number_text(t->arena, x ? x[i] : NAN, places);
        }
    }
    return any;
}

/* -- The parts of a report -- */

static const char *time_text(Arena *a, double seconds) {
    if (seconds < 0.01) return arena_printf(a, "%.2g s", seconds);
    if (seconds < 10) return arena_printf(a, "%.2f s", seconds);
    if (seconds < 120) return arena_printf(a, "%.0f s", seconds);
    return arena_printf(a, "%.0f min %.0f s", floor(seconds / 60), fmod(seconds, 60));
}

static const char *stop_text(const char *stop) {
    static const struct { const char *stop, *text; } words[] = {
        {"converged", "converged"},           {"steps", "all steps done"},
        {"interrupted", "interrupted: this is what was reached"}, {"exact", "exact"},
        {"held-out", "stopped: held-out data no longer improved"},
    };
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (strcmp(stop, words[k].stop) == 0) return words[k].text;
    return stop;
}

static const char *khat_text(const FitReport *r) {
    double khat = r->khat;
    if (khat < 0.5) return "good";
    if (khat >= 0.7 && r->reliable) return "of differences that are negligible";
    if (khat < 0.7) return "usable";
    if (khat < 1) return "poor: the approximation misses part of the posterior";
    return "bad: the approximation and the posterior differ";
}

static void add_header(const FitReport *r, Arena *a, Buf *out) {
    buf_printf(out, "%s: %s", r->model ? r->model : "fit", r->method ? r->method : "?");
    if (r->guide) buf_printf(out, " with %s", r->guide);
    buf_add(out, ", ");
    if (r->steps > 0) buf_printf(out, "%ld step%s in ", r->steps, r->steps == 1 ? "" : "s");
    buf_add(out, time_text(a, r->seconds));
    if (r->stop) buf_printf(out, ", %s", stop_text(r->stop));
}

static void add_objectives(const FitReport *r, Arena *a, Buf *out) {
    const char *gap = "\n";
    if (!isnan(r->elbo)) {
        int decimals = decimals_for(r->elbo_mcse, 2);
        buf_printf(out, "%sELBO %s", gap, number_text(a, r->elbo, decimals));
        if (decimals >= 0)
            buf_printf(out, " +- %.*f", decimals, r->elbo_mcse);
        else if (r->elbo_mcse >= 0)
            buf_printf(out, " +- %.1g", r->elbo_mcse);
        gap = "   ";
    }
    if (!isnan(r->log_evidence)) {
        buf_printf(out, "%slog evidence %s", gap, number_text(a, r->log_evidence, -1));
        gap = "   ";
    }
    if (!isnan(r->log_density)) {
        buf_printf(out, "%slog density %s", gap, number_text(a, r->log_density, -1));
        gap = "   ";
    }
    if (!isnan(r->khat)) {
        if (isfinite(r->khat))
            buf_printf(out, "%sk-hat %.2f (%s)", gap, r->khat, khat_text(r));
        else
            buf_printf(out, "%sk-hat %s (%s)", gap, number_text(a, r->khat, -1), khat_text(r));
    }
}

static bool add_moments(const FitReport *r, Arena *a, Buf *out, int64_t most) {
    const Column *used[MAX_COLUMNS] = {NULL};
    Table t = {.arena = a, .ncolumns = 1};
    for (int k = 0; k < NCOLUMNS; k++)
        if (column_used(r, &columns[k])) used[t.ncolumns++] = &columns[k];
    const char **heading = table_row(&t);
    heading[0] = "variable";
    for (int k = 1; k < t.ncolumns; k++) heading[k] = used[k]->heading;
    if (t.ncolumns == 2) heading[1] = "estimate"; /* a point: MAP and the like */
    bool any = false, jumped = false;
    for (int k = 0; k < r->nvariables; k++)
        if (!r->variables[k].summed_out) {
            any = true;
            jumped |= add_variable(&t, &r->variables[k], used, most);
        }
    if (!any) return false;
    buf_add_char(out, '\n');
    table_add(&t, out);
    return jumped;
}

/* A table of one variable that was summed out: an element per row, the values of its support as columns. */
static bool add_probabilities(const FitVariable *v, Arena *a, Buf *out, int64_t most) {
    int64_t values = v->shape.rank > 0 ? v->shape.dim[v->shape.rank - 1] : 1;
    int64_t n = values > 0 ? shape_size(v->shape) / values : 0;
    int shown = values < MAX_COLUMNS ? (int)values : MAX_COLUMNS - 1;
    bool jumped = false, any = values > shown;
    Table t = {.arena = a, .ncolumns = 1 + shown};
    const char **heading = table_row(&t);
    heading[0] = "probabilities";
    for (int k = 0; k < shown; k++) heading[k + 1] = arena_printf(a, "%ld", v->first + k);
    for (int64_t i = 0; i < n; i = next_shown(i, n, most, &jumped)) {
        if (jumped) add_left_out(&t, n - SHOWN_FIRST - SHOWN_LAST);
        any = any || jumped;
        const char **row = table_row(&t);
        row[0] = element_text(a, v->name, v->shape, 1, i);
        for (int k = 0; k < shown; k++) row[k + 1] = number_text(a, v->mean[i * values + k], 4);
    }
    buf_add_char(out, '\n');
    table_add(&t, out);
    if (values > shown)
        buf_printf(out, "\n%s has %lld values; the first %d are shown", v->name, (long long)values, shown);
    return any;
}

void report_fit(Arena *a, const FitReport *r, Buf *out, int64_t most) {
    ArenaMark mark = arena_mark(a);
    add_header(r, a, out);
    add_objectives(r, a, out);
    bool cut = add_moments(r, a, out, most);
    for (int k = 0; k < r->nvariables; k++)
        if (r->variables[k].summed_out) cut |= add_probabilities(&r->variables[k], a, out, most);
    if (cut) buf_add(out, "\n(long variables are cut: `ppl run --json` gives all numbers, --out FILE the draws)");
    if (r->nnotes || r->verdict) buf_add_char(out, '\n');
    for (int k = 0; k < r->nnotes; k++) buf_printf(out, "\nnote: %s", r->notes[k]);
    if (r->verdict) buf_printf(out, "\n%s", r->verdict);
    arena_rewind(a, mark);
}
