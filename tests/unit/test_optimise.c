/* The optimiser's passes: the same bits as without them, and fewer instructions. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tape/program.h"
#include "suite.h"

enum { WIDTH = 400, MANY = 4000 };

/* A tape over one input vector, and its outputs: places side by side in `out`. */
typedef struct Case {
    Ctx *ctx;
    Arena *arena;
    Tape *t;
    const real *x;
    Var outputs[MANY];
    real *place[MANY];
    int n;
    real out[MANY];
    int64_t used;
    int plain; /* instructions without passes, by compare() */
} Case;

static Case *case_new(const real *x) {
    Case *c = calloc(1, sizeof *c);
    c->ctx = ctx_new();
    c->arena = arena_new();
    c->t = tape_new(c->ctx, c->arena, true);
    c->t->inputs[0] = c->x = x;
    return c;
}

static void case_free(Case *c) {
    arena_free(c->arena);
    ctx_free(c->ctx);
    free(c);
}

static void give(Case *c, Var v) {
    c->place[c->n] = c->out + c->used;
    c->outputs[c->n++] = v;
    c->used += shape_size(v.value->shape);
}

static Var scalar(Case *c, int at) { return tape_input(c->t, 0, at, SHAPE_SCALAR); }
static Var vector(Case *c, int at, int64_t n) { return tape_input(c->t, 0, at, shape1(n)); }
static Var number(Case *c, real x) { return var_number(c->t, x); }

#define ADD(a, b) op2(c->t, OP_ADD, a, b)
#define SUB(a, b) op2(c->t, OP_SUB, a, b)
#define MUL(a, b) op2(c->t, OP_MUL, a, b)
#define DIV(a, b) op2(c->t, OP_DIV, a, b)
#define NEG(a) op1(c->t, OP_NEG, a)

static Program *case_program(Case *c, bool optimised) {
    setenv("PPL_OPTIMISE", optimised ? "1" : "0", 1);
    Program *p = program_new(c->t, c->n, c->outputs, c->place);
    unsetenv("PPL_OPTIMISE");
    return p;
}

static bool same_bits(real x, real y) { return memcmp(&x, &y, sizeof x) == 0 || (x != x && y != y); }

/* Runs the tape with and without passes at x and at other points; gives the instructions with them. */
static int compare(Case *c, real *x) {
    Program *with = case_program(c, true), *without = case_program(c, false);
    static real expected[MANY];
    RunInputs in = {.slots = {x}, .step = 3, .particle = 1};
    uint64_t seed = 1;
    for (int round = 0; round < 5; round++) {
        for (int k = 0; k < WIDTH; k++) {
            static const real odd[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e308, -1e308, 5e-324, 1, -1, 1e-300, 3};
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            real u = (real)(int64_t)(seed >> 11) / (real)(1ll << 53);
            x[k] = round == 4 && (seed >> 60) < 12 ? odd[seed >> 60] : 4 * u - 2;
        }
        memset(c->out, 0, sizeof c->out);
        ck_assert_int_eq(program_run(without, &in), RUN_DONE);
        memcpy(expected, c->out, sizeof expected);
        memset(c->out, 0, sizeof c->out);
        ck_assert_int_eq(program_run(with, &in), RUN_DONE);
        for (int k = 0; k < c->used; k++)
            ck_assert_msg(same_bits(c->out[k], expected[k]), "round %d, number %d: %.17g, it was %.17g", round, k,
                          (double)c->out[k], (double)expected[k]);
        for (int k = 0, at = 0; k < c->n; at += (int)shape_size(c->outputs[k++].value->shape))
            ck_assert(shape_size(c->outputs[k].value->shape) == 0 || same_bits(*program_output(with, k), c->out[at]));
    }
    int length = program_length(with);
    c->plain = program_length(without);
    program_free(with);
    program_free(without);
    return length;
}

/* -- Identities -- */

typedef struct Identity {
    const char *name;
    Var (*make)(Case *c, Var x, Var y);
    int length; /* instructions left, one to place the output among them */
} Identity;

#define IDENTITY(name, expression) \
    static Var identity_##name(Case *c, Var x, Var y) { (void)c, (void)x, (void)y; return expression; }
IDENTITY(minus_zero, SUB(x, number(c, 0)))
IDENTITY(plus_zero, ADD(op1(c->t, OP_EXP, x), number(c, 0)))
IDENTITY(plus_zero_signed, ADD(x, number(c, 0)))
IDENTITY(plus_minus_zero, ADD(x, number(c, -0.0)))
IDENTITY(times_one, MUL(number(c, 1), x))
IDENTITY(times_minus_one, NEG(MUL(x, number(c, -1))))
IDENTITY(over_one, DIV(x, number(c, 1)))
IDENTITY(over_four, DIV(x, number(c, 4)))
IDENTITY(over_three, DIV(x, number(c, 3)))
IDENTITY(twice_negative, NEG(NEG(x)))
IDENTITY(minus_negative, SUB(x, NEG(y)))
IDENTITY(plus_negative, ADD(NEG(x), y))
IDENTITY(negative_product, NEG(MUL(number(c, 0.1), x)))
IDENTITY(negative_square, op1(c->t, OP_SQUARE, NEG(x)))
IDENTITY(negative_quotient, NEG(DIV(NEG(x), y)))
IDENTITY(quotient_by_negative, NEG(DIV(x, NEG(y))))
IDENTITY(negative_negative_product, NEG(MUL(y, NEG(x))))
IDENTITY(negative_own_product, NEG(MUL(NEG(x), x)))
IDENTITY(own_product, SUB(MUL(x, x), op1(c->t, OP_SQUARE, x)))
IDENTITY(second_power, op2(c->t, OP_POW, x, number(c, 2)))
IDENTITY(equal_nodes, ADD(op1(c->t, OP_EXP, x), op1(c->t, OP_EXP, x)))
IDENTITY(twice_reshaped, op_reshape(c->t, op_reshape(c->t, NEG(x), shape2(2, 10)), shape1(20)))
IDENTITY(quotient_of_two, op2(c->t, OP_XDIVY, number(c, 2), x))
IDENTITY(quotient_of_zero, op2(c->t, OP_XDIVY, number(c, 0), x))
IDENTITY(chosen, op3(c->t, OP_WHERE, number(c, 1), NEG(x), y))

static const Identity identities[] = {
#define ROW(name, length) {#name, identity_##name, length}
    ROW(minus_zero, 1),      ROW(plus_zero, 1),       ROW(plus_zero_signed, 1), ROW(plus_minus_zero, 1),
    ROW(times_one, 1),       ROW(times_minus_one, 1), ROW(over_one, 1),         ROW(over_four, 1),
    ROW(over_three, 1),      ROW(twice_negative, 1),  ROW(minus_negative, 1),   ROW(plus_negative, 1),
    ROW(negative_quotient, 1), ROW(quotient_by_negative, 1), ROW(negative_negative_product, 1),
    ROW(negative_own_product, 1),
    ROW(negative_product, 1), ROW(negative_square, 1), ROW(own_product, 2),     ROW(second_power, 1),
    ROW(equal_nodes, 2),     ROW(twice_reshaped, 1),  ROW(chosen, 1),
    ROW(quotient_of_two, 1), ROW(quotient_of_zero, 1),
};

START_TEST(test_identities) {
    const Identity *row = &identities[_i];
    static real x[WIDTH];
    for (int array = 0; array < 2; array++) {
        Case *c = case_new(x);
        Var a = array ? vector(c, 0, 20) : scalar(c, 0), b = array ? vector(c, 20, 20) : scalar(c, 1);
        if (array || strstr(row->name, "reshaped") == NULL) {
            give(c, row->make(c, a, b));
            int length = compare(c, x);
            ck_assert_msg(length == row->length, "%s: %d instructions (%d without passes)", row->name, length, c->plain);
        }
        case_free(c);
    }
}
END_TEST

START_TEST(test_equal_constants_are_one_number) {
    static real x[WIDTH];
    Case *c = case_new(x);
    Var half = op_expand(c->t, number(c, 0.5), shape1(20)), a = vector(c, 0, 20);
    give(c, MUL(half, a));
    give(c, MUL(number(c, 0.5), a));
    int length = compare(c, x);
    ck_assert_int_eq(length, 2); /* the product and its copy for the second output */
    case_free(c);
}
END_TEST

/* -- Rolling -- */

/* Each of `n` steps: x[t] ~ Normal(x[t - 1], exp(s)), y[t] ~ Normal(x[t], 1); with gradients. */
static void random_walk(Case *c, int n) {
    Var x[WIDTH], terms[2 * WIDTH], s = scalar(c, n), g[WIDTH + 1];
    int nterms = 0;
    for (int t = 0; t < n; t++) {
        x[t] = scalar(c, t);
        if (t > 0)
            terms[nterms++] = SUB(MUL(number(c, -0.5), op1(c->t, OP_SQUARE, DIV(SUB(x[t], x[t - 1]), op1(c->t, OP_EXP, s)))), s);
        terms[nterms++] = MUL(number(c, -0.5), op1(c->t, OP_SQUARE, SUB(number(c, (real)sin(t)), x[t])));
    }
    x[n] = s;
    Var y = op_total(c->t, nterms, terms);
    tape_grad(c->t, y, NULL, n + 1, x, g);
    give(c, y);
    for (int t = 0; t <= n; t++) give(c, g[t]);
}

/* A variance that depends on that of the step before: the recurrence stays, what hangs on it is rolled. */
static void recurrence(Case *c, int n) {
    Var v = number(c, 0.25), terms[WIDTH], wrt[3] = {scalar(c, 0), scalar(c, 1), scalar(c, 2)}, g[3];
    Var a = op1(c->t, OP_EXP, wrt[0]), b = op1(c->t, OP_SIGMOID, wrt[1]);
    for (int t = 0; t < n; t++) {
        Var r = SUB(number(c, (real)sin(t)), wrt[2]);
        v = ADD(a, ADD(MUL(b, v), MUL(number(c, 0.3), op1(c->t, OP_SQUARE, r))));
        terms[t] = SUB(NEG(op1(c->t, OP_LOG, v)), DIV(op1(c->t, OP_SQUARE, r), v));
    }
    Var y = op_total(c->t, n, terms);
    tape_grad(c->t, y, NULL, 3, wrt, g);
    give(c, y);
    for (int k = 0; k < 3; k++) give(c, g[k]);
}

/* Elements of one array, as a guide gives them, with particles in front or without. */
static void elements(Case *c, int n, int64_t particles) {
    Shape whole = particles ? shape2(particles, n) : shape1(n);
    Var point = op1(c->t, OP_TANH, tape_input(c->t, 0, 0, whole)), terms[WIDTH];
    Shape one = particles ? shape1(particles) : SHAPE_SCALAR;
    for (int t = 0; t < n; t++) {
        Var x = op_reshape(c->t, op_slice(c->t, point, whole.rank - 1, t, 1, 1), one);
        Var last = t ? op_reshape(c->t, op_slice(c->t, point, whole.rank - 1, t - 1, 1, 1), one) : number(c, 0.5);
        terms[t] = op1(c->t, OP_EXP, MUL(x, SUB(x, last)));
    }
    Var y = op_sum_all(c->t, op_total(c->t, n, terms)), g;
    tape_grad(c->t, y, NULL, 1, &point, &g);
    give(c, y);
    give(c, g);
}

/* Small arrays at each step, and reductions of them; the results also side by side in one array. */
static void small_arrays(Case *c, int n) {
    Var loc = vector(c, 0, 3), terms[WIDTH], rows[WIDTH];
    for (int t = 0; t < n; t++) {
        Var row = NEG(op1(c->t, OP_SQUARE, SUB(number(c, (real)cos(t)), loc)));
        terms[t] = op_reduce(c->t, OP_LOGSUMEXP, row, 1u);
        rows[n - 1 - t] = op_reshape(c->t, terms[t], shape1(1));
    }
    give(c, op_total(c->t, n, terms));
    give(c, op_concat(c->t, n, rows, 0));
}

/* Draws of a loop, each at its own index. */
static void draws(Case *c, int n) {
    RandomSite site = {.key = 77, .n = 2, .particle_dim = -1};
    site.index[0].dim = site.index[1].dim = -1;
    for (int t = 0; t < n; t++) {
        site.index[0].first = 4 + t;
        site.index[1].first = 2;
        give(c, MUL(op_random(c->t, OP_NORMAL, 0, NULL, SHAPE_SCALAR, &site), scalar(c, t)));
    }
}

/* Two loops, of which the inner one's iterations depend on the outer one's last. */
static void nested(Case *c, int n) {
    enum { INNER = 10 };
    Var row[INNER], next[INNER];
    for (int k = 0; k < INNER; k++) row[k] = scalar(c, k);
    for (int t = 0; t < n / INNER; t++) {
        for (int k = 0; k < INNER; k++) next[k] = op1(c->t, OP_SIN, ADD(row[k], MUL(number(c, k + 2), row[0])));
        memcpy(row, next, sizeof row);
    }
    for (int k = 0; k < INNER; k++) give(c, row[k]);
}

static void elements_alone(Case *c, int n) { elements(c, n, 0); }
static void elements_of_particles(Case *c, int n) { elements(c, n, 3); }

static const struct {
    void (*make)(Case *c, int n);
    int n, most; /* steps; instructions */
} loops[] = {
    {random_walk, 100, 40},
    {recurrence, 100, 800}, /* some 7 for each step of the recurrence, forwards and backwards */
    {elements_alone, 100, 40},
    {elements_of_particles, 100, 40},
    {small_arrays, 100, 12},
    {draws, 100, 2},
    {nested, 200, 80},
};

START_TEST(test_loops_become_arrays) {
    static real x[WIDTH];
    Case *c = case_new(x);
    loops[_i].make(c, loops[_i].n);
    int length = compare(c, x);
    ck_assert_msg(length <= loops[_i].most, "%d instructions (%d without passes)", length, c->plain);
    case_free(c);
}
END_TEST

START_TEST(test_few_steps_stay_as_they_are) {
    static real x[WIDTH];
    Case *c = case_new(x);
    random_walk(c, 4);
    ck_assert_int_ge(compare(c, x), 20);
    case_free(c);
}
END_TEST

/* -- Anything -- */

/* Loops over random bodies: operands are numbers, inputs, elements and what this or an earlier iteration made. */
static void random_loop(Case *c, uint64_t seed) {
    enum { BODY = 12 };
    static const Op ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_NEG, OP_EXP, OP_SQUARE, OP_TANH, OP_MAX, OP_SOFTPLUS};
    Var made[2][BODY], array = op1(c->t, OP_COS, vector(c, 100, 200));
    int body[BODY][5];
    for (int k = 0; k < BODY; k++)
        for (int j = 0; j < 5; j++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            body[k][j] = (int)(seed >> 40);
        }
    for (int k = 0; k < BODY; k++) made[1][k] = scalar(c, k);
    int steps = 8 + body[0][4] % 40;
    for (int t = 0; t < steps; t++) {
        Var *now = made[t % 2], *before = made[(t + 1) % 2];
        for (int k = 0; k < BODY; k++) {
            Var in[2];
            for (int j = 0; j < 2; j++) {
                int which = body[k][1 + 2 * j], at = body[k][2 + 2 * j];
                switch (which % 6) {
                case 0: in[j] = number(c, (real)(at % 3)); break;
                case 1: in[j] = number(c, (real)cos(at + t)); break;
                case 2: in[j] = scalar(c, at % 50 + t); break;
                case 3: in[j] = op_reshape(c->t, op_slice(c->t, array, 0, at % 50 + 2 * t, 1, 1), SHAPE_SCALAR); break;
                case 4: in[j] = before[at % BODY]; break;
                default: in[j] = k ? now[at % k] : before[0];
                }
            }
            Op op = ops[(size_t)body[k][0] % (sizeof ops / sizeof *ops)];
            now[k] = op_apply(c->t, op, op_info(op)->arity, in, NULL);
        }
        for (int k = 0; k < BODY; k += 1 + body[k][0] % 3) give(c, now[k]);
    }
    Var y = op_total(c->t, c->n, c->outputs), wrt[2] = {array, scalar(c, 3)}, g[2];
    tape_grad(c->t, y, NULL, 2, wrt, g);
    give(c, g[0]);
    give(c, g[1]);
}

START_TEST(test_random_loops_keep_their_bits) {
    static real x[WIDTH];
    for (int k = 0; k < 10; k++) {
        Case *c = case_new(x);
        random_loop(c, (uint64_t)(10 * _i + k + 1));
        compare(c, x);
        case_free(c);
    }
}
END_TEST

/* -- Codes of short operations -- */

/* An operand: one number or n, straight from the input or computed just before; `at`: in the input. */
static Var operand(Case *c, int kind, int at, int64_t n) {
    Var v = n == 1 || kind % 2 ? scalar(c, at) : vector(c, at, n);
    return kind < 2 ? v : ADD(v, number(c, at + 1));
}

static const Op short_ops[] = {OP_COPY, OP_NEG, OP_ABS, OP_SQRT, OP_SQUARE, OP_RECIPROCAL, OP_SQUARED_ROOT, OP_ADD,  OP_SUB,
                               OP_MUL,  OP_DIV, OP_XDIVY, OP_MAX,  OP_EXP,    OP_POW,        OP_LOG1P};

START_TEST(test_short_operations_keep_their_bits) {
    static real x[WIDTH];
    Op op = short_ops[_i];
    for (int64_t n = 1; n <= 9; n++)
        for (int kinds = 0; kinds < 32; kinds++) {
            Case *c = case_new(x);
            Var a = operand(c, kinds % 4, 1, n), b = operand(c, kinds / 4 % 4, 1 + (int)n, n);
            if (kinds >= 16) give(c, a), give(c, b); /* in memory of the caller, which is not padded */
            Var y = op_info(op)->arity == 1 ? op1(c->t, op, a) : op2(c->t, op, a, b), sum = op_sum_all(c->t, y);
            give(c, sum);
            give(c, op_sum_all(c->t, b));
            give(c, op2(c->t, op_info(op)->arity == 1 ? OP_SUB : op, sum, y));
            give(c, y);
            compare(c, x);
            case_free(c);
        }
}
END_TEST

/* -- Indices that are known before the program runs -- */

/* Random, sorted, most of them one, of few targets; more rows than are taken at once. */
static Var known_index(Case *c, int kind, int64_t rows, int K) {
    real *index = ARENA_ARRAY(c->arena, real, rows);
    for (int64_t m = 0; m < rows; m++) {
        uint64_t u = (uint64_t)(m + 7 * kind) * 0x9e3779b97f4a7c15u >> 33;
        int64_t any = (int64_t)(u / 9 % (uint64_t)K), most = u % 9 ? 2 % K : any;
        index[m] = (real)(1 + (kind == 0 ? any : kind == 1 ? m * K / rows : most));
    }
    return var_constant(tensor_borrow(c->arena, shape1(rows), index));
}

START_TEST(test_known_indices_keep_their_bits) {
    static const int64_t rows[] = {1, 7, 600, 919, 10000};
    static const int targets[] = {1, 3, 85, 300};
    real x[WIDTH] = {0};
    Case *c = case_new(x);
    int K = targets[_i / 5 % 4];
    int64_t M = rows[_i % 5];
    for (int k = 0; k < WIDTH; k++) x[k] = (real)k;
    Var index = known_index(c, _i / 20, M, K), again = known_index(c, 0, M, (int)M);
    Var wide = op_gather(c->t, vector(c, 0, 400), known_index(c, 0, M, 400), 0); /* what is added up */
    Var some = op_gather(c->t, vector(c, 10, K), index, 0), both = MUL(ADD(some, wide), scalar(c, 1));
    give(c, op_scatter_add(c->t, wide, index, 0, K));
    give(c, op_scatter_add(c->t, op1(c->t, OP_SQUARE, both), index, 0, K));
    give(c, op_sum_all(c->t, both));
    give(c, op_sum_all(c->t, MUL(op_gather(c->t, both, again, 0), both))); /* of as many as there are */
    Var rows_of_three = op_reshape(c->t, vector(c, 0, 3 * (K / 3) + 3), shape2(K / 3 + 1, 3));
    Var three = op_gather(c->t, rows_of_three, known_index(c, 0, M, K / 3 + 1), 0);
    give(c, op_scatter_add(c->t, three, index, 0, K));
    Var two = op_reshape(c->t, op_concat(c->t, 2, (Var[]){index, known_index(c, 1, M, K)}, 0), shape2(2, M));
    Var each = op_gather(c->t, op_reshape(c->t, vector(c, 0, 2 * (K / 2 + 1)), shape2(2, K / 2 + 1)),
                         op_reshape(c->t, known_index(c, 0, 2 * M, K / 2 + 1), shape2(2, M)), 1);
    give(c, op_scatter_add(c->t, each, two, 1, K));
    give(c, op_scatter_add(c->t, each, op_reshape(c->t, index, shape2(1, M)), 1, K)); /* the same for both */
    Var shared = op_reshape(c->t, known_index(c, 0, M, K / 3 + 1), shape2(1, M));
    Var of_all = op_gather(c->t, op_reshape(c->t, rows_of_three, shape2(3, K / 3 + 1)), shared, 1);
    give(c, op_sum_all(c->t, op1(c->t, OP_SQUARE, of_all)));
    Var flat = op_gather(c->t, vector(c, 0, 400), known_index(c, 0, 2 * M, 400), 0), row = op_reshape(c->t, both, shape2(1, M));
    give(c, op_sum_all(c->t, op1(c->t, OP_SQUARE, ADD(op_reshape(c->t, flat, shape2(2, M)), row))));
    compare(c, x);
    case_free(c);
}
END_TEST

/* -- Two operations in one loop -- */

/* Two exact operations after each other, by where numbers and arrays are; every other result has a second reader. */
START_TEST(test_pairs_keep_their_bits) {
    static const Op outer[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV}, inner[] = {OP_ADD, OP_SUB, OP_MUL, OP_SQUARE};
    static const int64_t sizes[] = {8, 9, 29, 195, 600, 3000};
    real x[WIDTH] = {0};
    Case *c = case_new(x);
    int64_t n = sizes[_i];
    bool large = n > 195; /* gathered from what there is */
    Var s = scalar(c, 0), t = scalar(c, 1), v[3];
    for (int k = 0; k < 3; k++)
        v[k] = large ? op_gather(c->t, vector(c, 0, 400), known_index(c, k, n, 400), 0) : vector(c, 10 + k, n);
    for (int k = 0; k < 4 * 4 * 6 * 2; k++) {
        Op in = inner[k % 4], out = outer[k / 4 % 4];
        int kind = k / 16 % 6, at = k / 96;
        Var a = kind % 3 == 1 ? s : v[0], b = kind % 3 == 2 ? s : v[1], other = kind < 3 ? v[2] : t;
        Var first = in == OP_SQUARE ? op1(c->t, in, v[0]) : op2(c->t, in, a, b);
        Var second = at == 0 ? op2(c->t, out, first, other) : op2(c->t, out, other, first);
        Var third = ADD(op1(c->t, OP_ABS, second), k % 5 == 0 ? first : v[2]);
        give(c, op_slice(c->t, third, 0, k % 3, 6, 1));
        give(c, op_sum_all(c->t, k % 2 ? MUL(third, v[k % 3]) : op1(c->t, OP_SQUARE, third)));
    }
    compare(c, x);
    case_free(c);
}
END_TEST

START_TEST(test_pairs_of_rows) {
    real x[WIDTH] = {0};
    Case *c = case_new(x);
    int64_t m = _i ? 300 : 20; /* of a row */
    Var rows = op_gather(c->t, vector(c, 0, 400), known_index(c, 0, 3 * m, 400), 0);
    Var row = op_gather(c->t, vector(c, 0, 9), known_index(c, 0, m, 9), 0);
    Var a = op_reshape(c->t, rows, shape2(3, m)), b = op_reshape(c->t, row, shape2(1, m));
    Var each = op_reshape(c->t, vector(c, 0, 3), shape2(3, 1)), y = MUL(SUB(a, b), each), z = SUB(each, MUL(a, b));
    give(c, op_slice(c->t, op1(c->t, OP_SQRT, y), 1, 3, 9, 1));
    give(c, op_sum_all(c->t, MUL(DIV(ADD(b, z), y), a)));
    give(c, op_reduce(c->t, OP_SUM, MUL(z, a), 2));
    give(c, op_sum_all(c->t, MUL(z, b))); /* a row for each of them */
    compare(c, x);
    case_free(c);
}
END_TEST

/* -- Parts of arrays are computed in their places -- */

START_TEST(test_parts_are_joined) {
    static real x[WIDTH];
    for (int kinds = 0; kinds < 8; kinds++) {
        Case *c = case_new(x);
        Var a = op_reshape(c->t, NEG(scalar(c, 0)), shape1(1)), b = op1(c->t, OP_SQUARE, vector(c, 1, 5));
        Var constant = op_expand(c->t, number(c, 3), shape1(2)), input = vector(c, 9, 3);
        Var parts[] = {a, b, kinds & 1 ? a : NEG(a), kinds & 1 ? constant : ADD(b, a), kinds & 1 ? input : NEG(b)};
        Var joined = op_concat(c->t, 5, parts, 0);
        Var again = op_concat(c->t, 3, (Var[]){kinds & 2 ? a : joined, b, kinds & 2 ? NEG(input) : joined}, 0);
        Var whole = op_stack(c->t, 2, (Var[]){NEG(again), op1(c->t, OP_EXP, again)});
        if (kinds & 4) give(c, joined), give(c, again), give(c, whole); /* at the caller's */
        give(c, op_sum_all(c->t, op1(c->t, OP_SQUARE, joined)));
        give(c, op_reduce(c->t, OP_SUM, whole, 1));
        give(c, op_pad(c->t, kinds & 1 ? b : input, 0, kinds & 2 ? 3 : 0, 8, 1));
        give(c, op_pad(c->t, NEG(whole), 1, 2, 2 * whole.value->shape.dim[1] + 4, kinds & 4 ? 1 : 2));
        give(c, ADD(a, b));
        compare(c, x);
        case_free(c);
    }
}
END_TEST

/* -- Recurrences: the bits of step by step, from the operation and from its program -- */

enum { STATES = 3 };

/* The next of three states from these and a, b, c. */
static void step_of(Case *c, const Var *s, const Var *operands, int kind, Var *next) {
    Var a = operands[0], b = operands[1], k = operands[2];
    next[0] = kind == 0   ? ADD(a, MUL(k, op1(c->t, OP_SQUARED_ROOT, s[0])))
              : kind == 1 ? op1(c->t, OP_EXP, SUB(MUL(s[0], b), op1(c->t, OP_TANH, s[0])))
                          : op3(c->t, OP_WHERE, op2(c->t, OP_GT, s[0], b), MUL(s[0], k), ADD(s[1], a));
    next[1] = kind == 2 ? s[0] : DIV(SUB(k, s[1]), ADD(op1(c->t, OP_ABS, MUL(s[1], s[1])), number(c, 1)));
    next[2] = kind == 2 ? b : op1(c->t, OP_LGAMMA, ADD(op1(c->t, OP_SQUARE, s[2]), next[0]));
}

static Var at_step(Case *c, Var v, int64_t t) { /* [blocks] of [blocks, T], or of what broadcasts to it */
    Shape s = v.value->shape;
    if (s.rank == 0) return v;
    if (s.dim[s.rank - 1] > 1) v = op_slice(c->t, v, s.rank - 1, t, 1, 1);
    s.rank--;
    return op_reshape(c->t, v, s);
}

START_TEST(test_recurrences_keep_the_bits_of_their_steps) {
    static const int steps[] = {1, 2, 3, 15, 16, 17, 18, 40};
    static real x[WIDTH];
    for (int k = 0; k < WIDTH; k++) x[k] = 0.01 * k - 1;
    int T = steps[_i % 8], kind = _i / 8 % 3, n = _i / 24 + 1;
    Case *c = case_new(x);
    Shape whole = shape2(2, T);
    Var states[STATES], next[STATES], in[STATES + SCAN_OPERANDS], now[STATES], found[SCAN_OPERANDS];
    const Var operands[] = {tape_input(c->t, 0, 10, whole), op_slice(c->t, vector(c, 100, 2 * T), 0, 0, T, 2), scalar(c, 5)};
    for (int k = 0; k < STATES; k++) now[k] = op1(c->t, OP_SQUARE, vector(c, k, 2));
    for (int k = 0; k < STATES; k++)
        states[k] = tape_variable(c->t, op_expand(c->t, k < n ? number(c, 1) : op_reshape(c->t, now[k], shape2(2, 1)), whole));
    step_of(c, states, operands, kind, next);
    const ScanBody *body = scan_find(c->t, states[0].node, whole, n, states, next, found);
    ck_assert_ptr_nonnull(body);
    for (int k = 0; k < n; k++) in[k] = now[k];
    for (int k = 0; k < body->noperands; k++) in[n + k] = found[k];
    Var all = op_scan(c->t, body, whole, in);
    for (int64_t t = 0; t <= T; t++) {
        Var operand[3], later[STATES];
        for (int k = 0; k < n; k++)
            for (int b = 0; b < 2; b++)
                ck_assert(same_bits(tensor_item(now[k].value, b), tensor_item(all.value, (k * 2 + b) * (T + 1) + t)));
        if (t == T) break;
        for (int k = 0; k < 3; k++) operand[k] = at_step(c, operands[k], t);
        step_of(c, now, operand, kind, later);
        memcpy(now, later, sizeof *now * (size_t)n);
    }
    give(c, all);
    Var wrt[] = {operands[0], operands[2]}, g[2];
    tape_grad(c->t, op_sum_all(c->t, all), NULL, 2, wrt, g);
    give(c, g[0]), give(c, g[1]);
    compare(c, x);
    case_free(c);
}
END_TEST

int main(void) {
    Suite *s = suite_create("optimise");
    TCase *passes = tcase_create("passes");
    tcase_add_loop_test(passes, test_identities, 0, (int)(sizeof identities / sizeof *identities));
    tcase_add_test(passes, test_equal_constants_are_one_number);
    tcase_add_loop_test(passes, test_loops_become_arrays, 0, (int)(sizeof loops / sizeof *loops));
    tcase_add_test(passes, test_few_steps_stay_as_they_are);
    tcase_add_loop_test(passes, test_random_loops_keep_their_bits, 0, 10);
    tcase_add_loop_test(passes, test_short_operations_keep_their_bits, 0, (int)(sizeof short_ops / sizeof *short_ops));
    tcase_add_test(passes, test_parts_are_joined);
    tcase_add_loop_test(passes, test_pairs_keep_their_bits, 0, 6);
    tcase_add_loop_test(passes, test_pairs_of_rows, 0, 2);
    tcase_add_loop_test(passes, test_known_indices_keep_their_bits, 0, 60);
    tcase_add_loop_test(passes, test_recurrences_keep_the_bits_of_their_steps, 0, 8 * 3 * STATES);
    suite_add_tcase(s, passes);
    return suite_run(s);
}
