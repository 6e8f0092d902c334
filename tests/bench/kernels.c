/* kernels [--all]: every kernel against its budget in nanoseconds per element, so that one that silently stopped being
 * vectorised shows. Prints those that are over (or all of them); exit 1 when one is.
 *
 * Lines are of 512 elements, in the first-level cache; the least of many repetitions counts. Budgets are for a processor
 * with AVX-512 on which a multiplication that waits for the last one takes 1 ns: the clock is measured too, and
 * budgets are scaled by it (more generously on lesser instruction sets). They are about twice what was measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "infer/lines_optimizer.h"
#include "tape/indexed.h"
#include "tape/lines.h"
#include "tape/program.h"

enum { N = 512, ROUNDS = 60, CALLS = 16, SMALL = 8 };

/* Exact operations, and functions of one element, that have no row of their own. */
static const double EXACT = 0.25, FUNCTION = 1500;

static const struct Budget {
    Op op;
    double ns;
} budgets[] = {
    {OP_DIV, 0.35},     {OP_RECIPROCAL, 0.35}, {OP_SQRT, 0.6},      {OP_SIGN, 0.4},       {OP_EXP, 1.2},
    {OP_LOG, 1.5},      {OP_LOG1P, 1.7},        {OP_EXPM1, 3},       {OP_SIN, 12},         {OP_COS, 12},
    {OP_TAN, 14},      {OP_ASIN, 2.5},        {OP_ACOS, 3},        {OP_ATAN, 3.5},       {OP_TANH, 4},
    {OP_SIGMOID, 1.5},  {OP_SOFTPLUS, 2.5},    {OP_LOG1M_EXP, 12},  {OP_LGAMMA, 60},      {OP_ERF, 12},
    {OP_ERFC, 16},      {OP_POW, 8},           {OP_ATAN2, 8},       {OP_XLOGY, 1.6},      {OP_XLOG1PY, 2},
    {OP_LOG_ADD_EXP, 3}, {OP_LOG_DIFF_EXP, 13}, {OP_MOD, 40},        {OP_SINH, 40},        {OP_COSH, 40},
    {OP_SUM, 0.25},     {OP_PROD, 2},          {OP_REDUCE_MAX, 3},  {OP_REDUCE_MIN, 3},   {OP_LOGSUMEXP, 3},
    {OP_ARGMAX, 4},     {OP_AND, 0.45},    {OP_OR, 0.45},
};

static const Op functions[] = {OP_DIGAMMA,    OP_TRIGAMMA, OP_NORMAL_CDF,  OP_LOG_NORMAL_CDF, OP_NORMAL_ICDF,
                               OP_LOG_I0,     OP_I1_OVER_I0, OP_POLYGAMMA, OP_LBETA,          OP_LGAMMA_DIFF,
                               OP_GAMMA_P,    OP_GAMMA_Q,  OP_GAMMA_P_DA,  OP_GAMMA_DRAW_GRAD, OP_LOG_GAMMA_DRAW_GRAD};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

typedef struct Work {
    RowFn *row;
    const real *in[EW_MAX];
    int64_t stride[EW_MAX];
    real *out;
    const real *matrix, *vector;
    const Indexed *indexed;
    Program *program;
    RunInputs inputs;
} Work;

typedef void RunFn(Work *w);

static double least(RunFn *run, Work *w, int calls) {
    double best = INFINITY;
    for (int k = 0; k < ROUNDS; k++) {
        double start = now();
        for (int c = 0; c < calls; c++) run(w);
        double took = (now() - start) / calls;
        if (took < best) best = took;
    }
    return best;
}

static volatile double multiplicand = 1.0000001;
static void run_chain(Work *w) {
    (void)w;
    double x = multiplicand;
    for (int k = 0; k < N; k++) {
        x *= 1.0000001;
        __asm__ volatile("" : "+x"(x));
    }
    multiplicand = x > 2 ? 1.0000001 : x;
}

static int over, count;
static bool all;

static void report(const char *name, double ns, double budget) {
    bool bad = ns > budget;
    over += bad;
    count++;
    if (bad || all) printf("%-24s %9.3f ns, budget %9.3f%s\n", name, ns, budget, bad ? "  OVER" : "");
}

static void run_row(Work *w) { w->row(N, w->out, w->in, w->stride); }

static void run_normals(Work *w) {
    static double to[N + NORMALS];
    Normals waiting;
    waiting.n = 0;
    Stream s = stream_at(7, 1, 0, 1);
    for (int i = 0; i < N; i += NORMALS, s.block += NORMALS) {
        normals_add(&waiting, &s, ALONG_EVENT, N - i);
        normals_make(&waiting, to + i);
    }
    (void)w;
}

static void run_adam(Work *w) {
    static const AdamStep step = {1e-3f, 0.9f, 0.999f, 1e-8f, 0, 1, 1};
    static real m[N], v[N];
    optimizer_lines()->adam(&step, N, m, v, w->out, w->in[0]);
}

static void run_by_columns(Work *w) { lines_here()->matrix_vector(N, 20, w->matrix, 1, N, w->vector, 1, w->out); }
static void run_by_rows(Work *w) { lines_here()->matrix_vector(20, N, w->matrix, N, 1, w->in[0], 1, w->out); }
static void run_cholesky(Work *w) { lines_here()->small->cholesky(SMALL, w->matrix, SMALL, 1, w->out); }
static void run_root_inverse(Work *w) { lines_here()->small->root_inverse(SMALL, w->matrix, w->out); }
static void run_solve(Work *w) {
    lines_here()->small->solve(SMALL, w->matrix, SMALL, 1, false, 1, w->vector, 1, 1, w->out, 1, 1);
}
static void run_product(Work *w) {
    lines_here()->small->product(SMALL, SMALL, SMALL, w->matrix, SMALL, 1, w->matrix, SMALL, 1, w->out);
}
static void run_program(Work *w) { program_run(w->program, &w->inputs); }

static double budget_of(Op op) {
    for (size_t k = 0; k < sizeof budgets / sizeof *budgets; k++)
        if (budgets[k].op == op) return budgets[k].ns;
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        if (functions[k] == op) return FUNCTION;
    return EXACT;
}

static void time_rows(Work *w, double scale) {
    for (int op = 0; op < OP_COUNT; op++) {
        w->row = lines_here()->rows[op].any;
        if (!w->row || (op_info((Op)op)->arity == 3 && op != OP_WHERE)) continue; /* incomplete beta: microseconds */
        report(op_info((Op)op)->name, least(run_row, w, CALLS) / N, budget_of((Op)op) * scale);
    }
}

/* Two operations in one loop, the slowest without a division; and a product with its sum. */
static void time_pairs(Work *w, double lanes, double scale) {
    static const Op ops[] = {OP_ADD, OP_SUB, OP_MUL};
    double worst = 0;
    for (int k = 0; k < 9 * 6; k++) {
        int64_t stride[EW_MAX] = {k / 9 % 3 != 1, k / 9 % 3 != 2, k / 27};
        Work pair = *w;
        memcpy(pair.stride, stride, sizeof stride);
        pair.row = lines_here()->pair_choose(ops[k % 3], k % 2, ops[k / 3 % 3], stride);
        worst = fmax(worst, least(run_row, &pair, CALLS) / N);
    }
    report("pair of operations", worst, EXACT * lanes);
    w->row = lines_here()->sum_products;
    report("product and sum", least(run_row, w, CALLS) / N, 0.25 * scale);
}

static void run_gather(Work *w) { indexed_gather(N, w->out, w->in[0], w->indexed->at); }
static void run_scatter(Work *w) { indexed_add(w->indexed, w->out, w->in[0]); }

/* Rows in the order of their 85 targets: each would wait for the last. */
static void time_indices(Work *w, double scale) {
    enum { TARGETS = 85 };
    static real index[N];
    Arena *a = arena_new();
    Indexed known;
    for (int i = 0; i < N; i++) index[i] = (real)(1 + i * TARGETS / N);
    indexed_make(&known, a, tensor_borrow(a, shape1(N), index), TARGETS, 0);
    indexed_order(&known, a);
    w->indexed = &known;
    report("gather, known indices", least(run_gather, w, CALLS) / N, 0.5 * scale);
    report("scatter, known indices", least(run_scatter, w, CALLS) / N, 0.6 * scale);
    arena_free(a);
}

/* `length` operations, each on the one before: x -> 0.5 x + 1. */
static Program *chain(Ctx *c, Arena *a, const real *x, int64_t n, int length) {
    Tape *t = tape_new(c, a, true);
    t->inputs[0] = x;
    Var v = tape_input(t, 0, 0, n == 1 ? SHAPE_SCALAR : shape1(n));
    for (int k = 0; k < length; k++) v = op2(t, k % 2 ? OP_ADD : OP_MUL, v, var_number(t, k % 2 ? 1.5f : 0.5f));
    Var sum = n == 1 ? v : op_sum_all(t, v);
    return program_new(t, 1, &sum, NULL);
}

static void time_programs(Work *w, double scale) {
    enum { LENGTH = 20, LONG = 1 << 17 };
    Ctx *c = ctx_new();
    Arena *a = arena_new();
    real *x = calloc(LONG, sizeof *x);
    w->inputs = (RunInputs){.slots = {x}};
    w->program = chain(c, a, x, 1, LENGTH);
    report("an operation on a number", least(run_program, w, 100) / LENGTH, 8 * scale);
    program_free(w->program);
    w->program = chain(c, a, x, 8, LENGTH);
    report("an operation on 8", least(run_program, w, 100) / LENGTH, 10 * scale);
    program_free(w->program);
    w->program = chain(c, a, x, LONG, LENGTH);
    report("fused, of 131072", least(run_program, w, 1) / LENGTH / LONG, 0.2 * scale);
    program_free(w->program);
    arena_free(a);
    ctx_free(c);
    free(x);
}

int main(int argc, char **argv) {
    all = argc > 1 && strcmp(argv[1], "--all") == 0;
    _Alignas(64) static real a[N], b[N], c[N], out[N + 16], matrix[20 * N];
    for (int i = 0; i < N; i++) {
        a[i] = (real)(0.05 + 0.9 * fmod(0.61803 * (i + 1), 1));
        b[i] = (real)(0.05 + 0.9 * fmod(0.41421 * (i + 1), 1));
        c[i] = (real)(0.05 + 0.9 * fmod(0.73205 * (i + 1), 1));
    }
    for (int i = 0; i < 20 * N; i++) matrix[i] = a[i % N];
    Work w = {.in = {a, b, c}, .stride = {1, 1, 1}, .out = out, .matrix = matrix, .vector = b};
    double clock = least(run_chain, &w, CALLS) / N;
    double scale = clock * (isa_best() == ISA_V4 ? 1 : isa_best() == ISA_V3 ? 3 : 12);
    double lanes = scale * sizeof(real) / sizeof(double);
    time_rows(&w, lanes);
    time_pairs(&w, lanes, scale);
    time_indices(&w, scale);
    report("normal", least(run_normals, &w, CALLS) / N, 14 * scale);
    report("adam", least(run_adam, &w, CALLS) / N, 1.5 * lanes);
    if (lines_here()->matrix_vector) {
        report("matrix vector, columns", least(run_by_columns, &w, CALLS) / N / 20, 0.15 * lanes);
        report("matrix vector, rows", least(run_by_rows, &w, CALLS) / N / 20, 0.12 * lanes);
    }
    for (int i = 0; i < SMALL; i++)
        for (int j = 0; j < SMALL; j++) matrix[i * SMALL + j] = 1 / (real)(1 + abs(i - j));
    report("cholesky, 8 rows", least(run_cholesky, &w, CALLS), 165 * scale);
    report("inverse, 8 rows", least(run_root_inverse, &w, CALLS), 95 * scale);
    report("triangular, 8 rows", least(run_solve, &w, CALLS), 95 * scale);
    report("product, 8 rows", least(run_product, &w, CALLS), 65 * scale);
    time_programs(&w, scale);
    printf("kernels in %s precision: %d of %d within their budgets (a multiplication after another: %.2f ns)\n",
           sizeof(real) == sizeof(double) ? "double" : "single", count - over, count, clock);
    return over > 0;
}
