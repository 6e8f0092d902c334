/* Limited-memory BFGS: Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4 and 7.5, with a bracketing
 * line search for the strong Wolfe conditions.
 *
 * GSL's vector_bfgs2 is too weak here: it remembers one pair only, gives up ("not making progress") at the first line
 * search that rounding spoils, and takes an inf or NaN from the function as a value to interpolate. Log densities
 * overflow, and are flat to rounding near their modes.
 */
#include "infer/lbfgs.h"

#include <float.h>
#include <math.h>
#include <string.h>


LbfgsOptions lbfgs_defaults(void) {
    return (LbfgsOptions){.history = 10, .max_iterations = 2000, .max_line_search = 40, .tol_grad = 1e-8,
                          .tol_rel_f = 1e-13, .tol_rel_x = 1e-14, .first_step = 1, .rounding = 1e-14};
}

LbfgsOptions lbfgs_defaults_single(void) {
    LbfgsOptions o = lbfgs_defaults();
    o.tol_grad = 1e-6, o.tol_rel_f = o.tol_rel_x = 1e-7, o.rounding = 3e-7;
    return o;
}

const char *lbfgs_status_text(LbfgsStatus s) {
    static const char *const text[] = {
        [LBFGS_GRADIENT] = "the gradient is small",
        [LBFGS_FUNCTION] = "the value no longer changes",
        [LBFGS_POINT] = "the point no longer changes",
        [LBFGS_ITERATIONS] = "the limit of iterations was reached",
        [LBFGS_STOPPED] = "it was stopped",
        [LBFGS_LINE_SEARCH] = "no step along the gradient lowers the value",
        [LBFGS_START] = "the value or the gradient at the start is not finite",
    };
    return text[s];
}

typedef struct Point {
    double *x, *grad;
    double f;
} Point;

typedef struct Lbfgs {
    LbfgsFunction f;
    void *self;
    int64_t n;
    const LbfgsOptions *options;
    Point now, trial, best; /* best: the lowest point of the line search that decreases enough */
    double *direction, *alpha, *rho, *s, *y; /* s, y: [history][n], pair k in row k % history */
    int64_t pairs;                           /* since the last reset */
    int evaluations;
} Lbfgs;

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, int64_t n) {
    double m = 0;
    for (int64_t i = 0; i < n; i++) m = fmax(m, fabs(a[i]));
    return m;
}

static bool evaluate(Lbfgs *l, Point *p) {
    p->f = l->f(l->self, p->x, p->grad);
    l->evaluations++;
    bool finite = isfinite(p->f);
    for (int64_t i = 0; finite && i < l->n; i++) finite = isfinite(p->grad[i]);
    return finite;
}

static void point_swap(Point *a, Point *b) {
    Point t = *a;
    *a = *b, *b = t;
}

/* -- The direction -- */

/* The two-loop recursion (algorithm 7.4), started from s.y / y.y times the identity. */
static void find_direction(Lbfgs *l) {
    int64_t n = l->n, h = l->options->history, first = l->pairs > h ? l->pairs - h : 0;
    double *d = l->direction;
    for (int64_t i = 0; i < n; i++) d[i] = -l->now.grad[i];
    for (int64_t k = l->pairs - 1; k >= first; k--) {
        int64_t row = k % h;
        l->alpha[row] = l->rho[row] * dot(l->s + row * n, d, n);
        for (int64_t i = 0; i < n; i++) d[i] -= l->alpha[row] * l->y[row * n + i];
    }
    if (l->pairs == 0) return;
    int64_t newest = (l->pairs - 1) % h;
    double scale = 1 / (l->rho[newest] * dot(l->y + newest * n, l->y + newest * n, n));
    for (int64_t i = 0; i < n; i++) d[i] *= scale;
    for (int64_t k = first; k < l->pairs; k++) {
        int64_t row = k % h;
        double beta = l->rho[row] * dot(l->y + row * n, d, n);
        for (int64_t i = 0; i < n; i++) d[i] += (l->alpha[row] - beta) * l->s[row * n + i];
    }
}

/* The pair of the step from `now` to `best`; one without positive curvature is left out. */
static void remember_pair(Lbfgs *l) {
    int64_t n = l->n, row = l->pairs % l->options->history;
    double *s = l->s + row * n, *y = l->y + row * n;
    for (int64_t i = 0; i < n; i++) {
        s[i] = l->best.x[i] - l->now.x[i];
        y[i] = l->best.grad[i] - l->now.grad[i];
    }
    double sy = dot(s, y, n);
    if (!(sy > DBL_EPSILON * dot(y, y, n)) || !isfinite(1 / sy)) return;
    l->rho[row] = 1 / sy;
    l->pairs++;
}

/* -- The line search -- */

typedef struct Step {
    double a, f, slope; /* f = inf: could not be computed */
} Step;

/* The minimum of the cubic through two values and slopes (Nocedal and Wright 3.59), kept inside the middle of the
 * interval; its middle every third time, so that it shrinks. */
static double next_inside(Step low, Step high, int round) {
    double width = high.a - low.a;
    if (!isfinite(high.f)) return low.a + 0.25 * width;
    if (round % 3 == 2) return low.a + 0.5 * width;
    double d1 = low.slope + high.slope - 3 * (low.f - high.f) / (low.a - high.a);
    double d2 = sqrt(d1 * d1 - low.slope * high.slope);
    double a = high.a - width * (high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2);
    if (isnan(a)) a = low.a + 0.5 * width;
    return fmin(fmax(a, low.a + 0.1 * width), high.a - 0.1 * width);
}

/* Looks along l->direction, first at step `a`. `low` always decreases enough and descends; `high`, once there is one,
 * does not decrease enough, ascends or cannot be computed: between them is a point that satisfies the strong Wolfe
 * conditions (c1 = 1e-4, c2 = 0.9), or, where rounding hides the decrease, the approximate ones of Hager and Zhang
 * (SIAM J. Optim. 16, 2005). True: l->best is that point, or at least one that decreases enough. */
static bool line_search(Lbfgs *l, double a, double slope) {
    const double c1 = 1e-4, c2 = 0.9, rounding = l->options->rounding * fabs(l->now.f);
    Step start = {0, l->now.f, slope}, low = start, high = {INFINITY, INFINITY, NAN};
    bool found = false;
    for (int round = 0; round < l->options->max_line_search; round++) {
        for (int64_t i = 0; i < l->n; i++) l->trial.x[i] = l->now.x[i] + a * l->direction[i];
        bool finite = evaluate(l, &l->trial);
        Step now = {a, finite ? l->trial.f : INFINITY, finite ? dot(l->trial.grad, l->direction, l->n) : NAN};
        bool decreases = finite && now.f <= start.f + c1 * a * slope;
        bool flat = finite && now.f <= start.f + rounding && now.slope <= (2 * c1 - 1) * slope
                    && now.slope >= c2 * slope;
        if ((decreases || flat) && (!found || now.f <= l->best.f)) {
            point_swap(&l->trial, &l->best);
            found = true;
        }
        if (flat || (decreases && fabs(now.slope) <= -c2 * slope)) return true;
        if (decreases && now.f <= low.f && now.slope < 0) low = now;
        else high = now;
        if (isinf(high.a)) a *= 4;
        else a = next_inside(low, high, round);
        if (!isfinite(a) || (high.a - low.a) < 1e-16 * high.a || a < 1e-300) break;
    }
    return found;
}

/* One iteration: a step along the quasi-Newton direction, or, where that fails, along the gradient with the history
 * forgotten. */
static bool advance(Lbfgs *l) {
    for (;;) {
        find_direction(l);
        double slope = dot(l->direction, l->now.grad, l->n), length = sqrt(dot(l->direction, l->direction, l->n));
        double a = l->pairs > 0 ? 1 : fmin(1, l->options->first_step / length);
        if (slope < 0 && isfinite(length) && line_search(l, a, slope)) return true;
        if (l->pairs == 0) return false;
        l->pairs = 0;
    }
}

static bool small_gradient(const Lbfgs *l) {
    return largest(l->now.grad, l->n) <= l->options->tol_grad * fmax(1, fabs(l->now.f));
}

static bool small_move(const Lbfgs *l) {
    for (int64_t i = 0; i < l->n; i++) {
        double scale = fmax(fabs(l->now.x[i]), 1);
        if (fabs(l->best.x[i] - l->now.x[i]) > l->options->tol_rel_x * scale) return false;
    }
    return true;
}

static bool visit(const Lbfgs *l, int iteration) {
    const LbfgsOptions *o = l->options;
    return !o->visit || o->visit(o->visit_self, iteration, l->now.f, l->now.x, l->now.grad);
}

static LbfgsStatus iterate(Lbfgs *l, int *iterations) {
    if (!evaluate(l, &l->now)) return LBFGS_START;
    if (!visit(l, 0)) return LBFGS_STOPPED;
    for (int still = 0;;) {
        if (small_gradient(l)) return LBFGS_GRADIENT;
        if (*iterations >= l->options->max_iterations) return LBFGS_ITERATIONS;
        if (!advance(l)) return LBFGS_LINE_SEARCH;
        ++*iterations;
        bool moved = !small_move(l);
        double decrease = (l->now.f - l->best.f) / fmax(fabs(l->now.f), 1);
        still = decrease < l->options->tol_rel_f ? still + 1 : 0;
        remember_pair(l);
        point_swap(&l->now, &l->best);
        if (!visit(l, *iterations)) return LBFGS_STOPPED;
        if (small_gradient(l)) return LBFGS_GRADIENT;
        if (!moved) return LBFGS_POINT;
        if (still >= 3) return LBFGS_FUNCTION;
    }
}

LbfgsResult lbfgs_minimize(Arena *owner, LbfgsFunction f, void *self, int64_t n, double *x, const LbfgsOptions *options) {
    LbfgsOptions defaults = lbfgs_defaults();
    if (!options) options = &defaults;
    Arena *a = arena_child(owner);
    Lbfgs l = {.f = f, .self = self, .n = n, .options = options};
    int64_t h = options->history;
    Point *points[] = {&l.now, &l.trial, &l.best};
    for (int k = 0; k < 3; k++) points[k]->x = ARENA_ARRAY(a, double, n), points[k]->grad = ARENA_ARRAY(a, double, n);
    l.direction = ARENA_ARRAY(a, double, n);
    l.s = ARENA_ARRAY(a, double, h * n), l.y = ARENA_ARRAY(a, double, h * n);
    l.alpha = ARENA_ARRAY(a, double, h), l.rho = ARENA_ARRAY(a, double, h);
    if (n) memcpy(l.now.x, x, sizeof(double) * (size_t)n);
    LbfgsResult r = {0};
    r.status = iterate(&l, &r.iterations);
    r.evaluations = l.evaluations, r.f = l.now.f, r.grad_norm = largest(l.now.grad, n);
    if (n) memcpy(x, l.now.x, sizeof(double) * (size_t)n);
    arena_free(a);
    return r;
}
