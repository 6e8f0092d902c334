/* Every derivative rule against central differences, with broadcasting operands, and its second derivative. The
 * elementwise cases come from ops.def; the others are rows below, and no rule may be without a case. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "tape/tape.h"
#include "suite.h"

enum { MAX_IN = 3, MAX_NUMBERS = 64 };

/* A function of `n` inputs whose numbers lie one after another in x. */
typedef struct Case {
    Var (*build)(Tape *t, const struct Case *c, const Var *in);
    Op op;
    int n;
    Shape shape[MAX_IN];
    bool fixed[MAX_IN]; /* a constant, not differentiated */
    const char *domain[MAX_IN];
    int arg;
} Case;

static double random_unit(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*state >> 33) + 0.5) / 2147483648.0;
}

static double draw_from(const char *domain, int i, uint64_t *state) {
    static const struct {
        const char *name;
        double lo, hi;
    } ranges[] = {{"REAL", -2, 2},   {"POS", 0.3, 3}, {"UNIT", 0.1, 0.9},
                  {"NEG", -3, -0.3}, {"HIGH", 2, 3},  {"LOW", 0, 1}};
    double u = random_unit(state);
    if (strcmp(domain, "FIXED") == 0) return i % 2;
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
        if (strcmp(domain, ranges[k].name) == 0) return ranges[k].lo + u * (ranges[k].hi - ranges[k].lo);
    ck_abort_msg("no domain %s", domain);
}

static int case_numbers(const Case *c) {
    int total = 0;
    for (int k = 0; k < c->n; k++) total += (int)shape_size(c->shape[k]);
    return total;
}

static void case_fill(const Case *c, uint64_t seed, real *x) {
    uint64_t state = seed * 7919 + 17;
    for (int k = 0; k < c->n; k++)
        for (int i = 0; i < shape_size(c->shape[k]); i++) *x++ = draw_from(c->domain[k], i, &state);
}

static Var projected(Tape *t, Var v, uint64_t seed) {
    uint64_t state = seed;
    Tensor *p = tensor_new(t->ctx, t->arena, v.value->shape);
    for (int64_t i = 0; i < shape_size(p->shape); i++) p->data[i] = 2 * random_unit(&state) - 1;
    return op_sum_all(t, op2(t, OP_MUL, v, var_constant(p)));
}

static void case_inputs(Tape *t, const Case *c, const real *x, Var *in) {
    t->inputs[0] = x;
    int64_t offset = 0;
    for (int k = 0; k < c->n; k++) {
        in[k] = tape_input(t, 0, offset, c->shape[k]);
        if (c->fixed[k]) in[k] = var_constant(in[k].value);
        offset += shape_size(c->shape[k]);
    }
}

/* order 0: the projected function; 1: a projection of its gradient. Its gradient goes to `gradient` unless NULL. */
static real case_value(const Case *c, int order, const real *x, real *gradient) {
    Ctx *ctx = ctx_new();
    Arena *arena = arena_new();
    Tape *t = tape_new(ctx, arena, true);
    Var in[MAX_IN], wrt[MAX_IN], g[MAX_IN];
    case_inputs(t, c, x, in);
    int n = 0;
    for (int k = 0; k < c->n; k++)
        if (!c->fixed[k]) wrt[n++] = in[k];
    Var y = projected(t, c->build(t, c, in), 1);
    if (order == 1) {
        tape_grad(t, y, NULL, n, wrt, g);
        y = var_number(t, 0);
        for (int k = 0; k < n; k++) y = op2(t, OP_ADD, y, projected(t, g[k], 2 + (uint64_t)k));
    }
    real value = tensor_item(y.value, 0);
    if (gradient) {
        tape_grad(t, y, NULL, n, wrt, g);
        for (int k = 0; k < n; k++) {
            ck_assert(shape_equal(g[k].value->shape, wrt[k].value->shape));
            tensor_copy_out(g[k].value, gradient);
            gradient += shape_size(g[k].value->shape);
        }
    }
    arena_free(arena);
    ctx_free(ctx);
    return value;
}

/* The largest difference between the rule and central differences, relative to 1 + |gradient|. */
static double case_error(const Case *c, int order, uint64_t seed) {
    real x[MAX_NUMBERS], gradient[MAX_NUMBERS];
    ck_assert_int_le(case_numbers(c), MAX_NUMBERS);
    case_fill(c, seed, x);
    case_value(c, order, x, gradient);
    double worst = 0;
    int at = 0, i = 0;
    for (int k = 0; k < c->n; k++)
        for (int j = 0; j < shape_size(c->shape[k]); j++, i++) {
            if (c->fixed[k]) continue;
            real kept = x[i], h = 6e-6 * fmax(1, fabs(kept));
            x[i] = kept + h;
            real above = case_value(c, order, x, NULL);
            x[i] = kept - h;
            real below = case_value(c, order, x, NULL);
            x[i] = kept;
            double numeric = (above - below) / (2 * h), error = fabs(numeric - gradient[at]) / (1 + fabs(numeric));
            if (!(error <= worst)) worst = error;
            at++;
        }
    return worst;
}

static void assert_gradient(const Case *c, int order) {
    for (uint64_t seed = 1; seed <= 2; seed++) {
        double error = case_error(c, order, seed);
        ck_assert_msg(error < 1e-6, "%s, derivative %d, seed %d: off by %g", op_info(c->op)->name, order + 1, (int)seed,
                      error);
    }
}

/* -- Elementwise, from ops.def -- */

static Var build_elementwise(Tape *t, const Case *c, const Var *in) { return op_apply(t, c->op, c->n, in, NULL); }

typedef enum Gradient { RULE, ONCE, ZERO, NONE } Gradient;
enum { SOURCE, EW, EWV = EW, VIEW, CALL, REDUCE = CALL, RANDOM };
#define ANY -1
#define DOMAINS(...) #__VA_ARGS__
static const struct {
    int arity, class;
    Gradient gradient;
    const char *domains;
} table[OP_COUNT] = {
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr)                                              \
    [OP_##NAME] = {arity, class, gradient, DOMAINS domain},
#include "tape/ops.def"
#undef OP
};

static Case elementwise_case(Op op, char *words) {
    Case c = {.build = build_elementwise, .op = op};
    const Shape shapes[MAX_IN] = {shape2(2, 3), shape1(3), shape2(2, 1)};
    strcpy(words, table[op].domains);
    for (char *save, *word = strtok_r(words, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        c.domain[c.n] = word;
        c.fixed[c.n] = strcmp(word, "FIXED") == 0;
        c.shape[c.n] = shapes[c.n];
        c.n++;
    }
    ck_assert_int_eq(c.n, table[op].arity);
    return c;
}

START_TEST(test_elementwise) {
    Op op = (Op)_i;
    if (table[op].class != EW || (table[op].gradient != RULE && table[op].gradient != ONCE)) return;
    char words[64];
    Case c = elementwise_case(op, words);
    assert_gradient(&c, 0);
    if (table[op].gradient == RULE) assert_gradient(&c, 1);
    for (int k = 0; k < c.n; k++) c.shape[k] = SHAPE_SCALAR;
    assert_gradient(&c, 0);
}
END_TEST

/* -- The others -- */

static Var index_constant(Tape *t, Shape shape, const real *values) {
    Tensor *index = tensor_new(t->ctx, t->arena, shape);
    memcpy(index->data, values, (size_t)shape_size(shape) * sizeof *values);
    return var_constant(index);
}

static Var build_reduce(Tape *t, const Case *c, const Var *in) { return op_reduce(t, c->op, in[0], (uint32_t)c->arg); }
static Var build_cumsum(Tape *t, const Case *c, const Var *in) { return op_cumsum(t, in[0], c->arg); }
static Var build_chain(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op_chain(t, in[0]);
}
static Var build_recur(Tape *t, const Case *c, const Var *in) { return op_recur(t, in[0], in[1], c->arg); }
/* Three steps of one state, or of two beside each other in two blocks; operands per step, per block, and one number. */
static Var build_scan(Tape *t, const Case *c, const Var *in) {
    Shape whole = c->arg ? shape2(2, 4) : shape1(4);
    int n = c->arg ? 2 : 1;
    Var states[2], next[2], all[2 + SCAN_OPERANDS];
    for (int k = 0; k < n; k++) states[k] = tape_variable(t, op_expand(t, var_number(t, 0.5), whole));
    Var x = states[0];
    next[0] = op2(t, OP_ADD, in[1], op2(t, OP_MUL, in[2], op1(t, OP_TANH, op2(t, OP_MUL, x, states[n - 1]))));
    if (c->arg) next[1] = op2(t, OP_MUL, op2(t, OP_SUB, x, in[1]), next[0]);
    const ScanBody *body = scan_find(t, states[0].node, whole, n, states, next, all + n);
    ck_assert_ptr_nonnull(body);
    for (int k = 0; k < n; k++) all[k] = op1(t, OP_EXP, in[0]);
    return op_scan(t, body, whole, all);
}
static Var build_reshape(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op_reshape(t, op_transpose(t, op1(t, OP_SQUARE, in[0])), shape2(2, 3));
}
static Var build_expand(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op1(t, OP_SQUARE, op_expand(t, in[0], shape_of(3, (int64_t[]){4, 2, 3})));
}
static Var build_permute(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op_permute(t, op1(t, OP_SQUARE, in[0]), (int[]){2, 0, 1});
}
static Var build_slice(Tape *t, const Case *c, const Var *in) {
    Var x = op1(t, OP_SQUARE, in[0]);
    return c->arg < 0 ? op_slice(t, x, 1, 5, 3, -2) : op_slice(t, x, 1, 1, 2, 3);
}
/* Shares of parts that are equal, side by side, apart, overlapping, and along two dimensions. */
static Var build_slices(Tape *t, const Case *c, const Var *in) {
    static const int starts[] = {2, 0, 2, 4, 1, 5}, counts[] = {1, 1, 1, 1, 3, 1};
    (void)c;
    Var x = op1(t, OP_SQUARE, in[0]), y = op_slice(t, x, 0, 1, 1, 1);
    for (int k = 0; k < 6; k++)
        y = op2(t, OP_MUL, y, op_sum_all(t, op1(t, OP_SIN, op_slice(t, x, 1, starts[k], counts[k], 1))));
    return y;
}
static Var build_pad(Tape *t, const Case *c, const Var *in) {
    Var x = op1(t, OP_SQUARE, in[0]);
    return op1(t, OP_EXP, c->arg < 0 ? op_pad(t, x, 1, 5, 6, -2) : op_pad(t, x, 1, 1, 7, 2));
}
static Var build_concat(Tape *t, const Case *c, const Var *in) {
    return op1(t, OP_EXP, op_concat(t, 3, (Var[]){in[0], in[1], in[0]}, c->arg));
}
static Var build_gather(Tape *t, const Case *c, const Var *in) {
    if (c->arg == 0)
        return op_gather(t, op1(t, OP_SQUARE, in[0]), index_constant(t, shape2(2, 2), (real[]){2, 1, 2, 2}), 0);
    Shape shape = c->arg == 1 ? shape2(2, 4) : shape2(1, 4);
    return op_gather(t, op1(t, OP_SQUARE, in[0]), index_constant(t, shape, (real[]){3, 1, 1, 2, 2, 3, 1, 1}), 1);
}
static Var build_scatter_add(Tape *t, const Case *c, const Var *in) {
    (void)c;
    Var index = index_constant(t, shape2(2, 3), (real[]){4, 1, 4, 2, 2, 2});
    return op1(t, OP_EXP, op_scatter_add(t, op1(t, OP_SQUARE, in[0]), index, 1, 4));
}
static Var build_diagonal(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op_diagonal(t, op1(t, OP_EXP, in[0]));
}
static Var build_diag_embed(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op1(t, OP_EXP, op_diag_embed(t, in[0]));
}
static Var build_tril(Tape *t, const Case *c, const Var *in) { return op1(t, OP_EXP, op_tril(t, in[0], c->arg)); }
static Var build_variable(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op1(t, OP_EXP, tape_variable(t, in[0]));
}
static Var build_matmul(Tape *t, const Case *c, const Var *in) {
    return op_matmul(t, c->arg ? op_transpose(t, in[0]) : in[0], in[1]);
}
/* x x^T + 2 is positive definite; the factor sees a symmetric matrix. */
static Var build_cholesky(Tape *t, const Case *c, const Var *in) {
    (void)c;
    Var twos = op_expand(t, var_number(t, 2), shape1(3));
    return op_cholesky(t, op2(t, OP_ADD, op_matmul(t, in[0], op_transpose(t, in[0])), op_diag_embed(t, twos)));
}
/* Only the triangle that is read may matter, whatever the rest holds. */
static Var build_tri_solve(Tape *t, const Case *c, const Var *in) { return op_tri_solve(t, in[0], in[1], c->arg); }

/* arg: in[0] itself is the triangle; or the factor of what is made of it is, or a view of that, or copies. */
static Var triangle_of(Tape *t, const Case *c, Var x) {
    if (c->arg == 0) return x;
    Var l = build_cholesky(t, c, &x);
    Shape one = {.rank = 3, .dim = {1, 3, 3}}, two = {.rank = 3, .dim = {2, 3, 3}};
    if (c->arg == 1) return l;
    return c->arg == 2 ? op_reshape(t, l, one) : op_expand(t, op_reshape(t, l, one), two);
}
static Var build_inv_quad(Tape *t, const Case *c, const Var *in) {
    return op1(t, OP_SQUARE, op_inv_quad(t, triangle_of(t, c, in[0]), in[1]));
}
static Var build_log_diag(Tape *t, const Case *c, const Var *in) {
    return op1(t, OP_SQUARE, op_log_diag(t, triangle_of(t, c, in[0])));
}
static Var build_root_inverse(Tape *t, const Case *c, const Var *in) {
    return op1(t, OP_SQUARE, op_root_inverse(t, triangle_of(t, c, in[0])));
}

/* Numbers that whole arrays are multiplied with: shares with the same ones and with others, through sums and views. */
static Var build_factors(Tape *t, const Case *c, const Var *in) {
    Var s = in[1], half = var_number(t, -0.5), square = op1(t, OP_SQUARE, in[0]);
    Var three = op_expand(t, var_number(t, 3), square.value->shape);
    Var x = op2(t, OP_MUL, op1(t, OP_NEG, op2(t, OP_DIV, square, s)), three);
    Var y = op_permute(t, op2(t, OP_SUB, op2(t, OP_MUL, s, in[0]), x), (int[]){1, 0});
    Var z = op2(t, OP_SUB, op2(t, OP_DIV, op2(t, OP_MUL, half, op1(t, OP_SQUARE, y)), s), op1(t, OP_LOG, s));
    Var sum = c->arg ? op_sum_linear(t, z, c->arg) : op_matmul(t, z, op2(t, OP_MUL, in[0], s));
    return op2(t, OP_ADD, op2(t, OP_MUL, s, op1(t, OP_SIN, sum)), op2(t, OP_MUL, op1(t, OP_COS, sum), s));
}

#define S4(a, b, c, d)                                                                                                 \
    {                                                                                                                  \
        .rank = 4, .dim = { a, b, c, d }                                                                               \
    }
#define S3(a, b, c)                                                                                                    \
    {                                                                                                                  \
        .rank = 3, .dim = { a, b, c }                                                                                  \
    }
#define S2(a, b)                                                                                                       \
    {                                                                                                                  \
        .rank = 2, .dim = { a, b }                                                                                     \
    }
#define S1(a)                                                                                                          \
    {                                                                                                                  \
        .rank = 1, .dim = { a }                                                                                        \
    }
static const Case cases[] = {
    {build_reduce, OP_SUM, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 5},
    {build_reduce, OP_PROD, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 3},
    {build_reduce, OP_REDUCE_MAX, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 2},
    {build_reduce, OP_REDUCE_MIN, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 6},
    {build_reduce, OP_LOGSUMEXP, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 4},
    {build_reduce, OP_LOGSUMEXP, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 5},
    {build_factors, OP_MUL, 2, {S2(2, 3), {0}}, {0}, {"UNIT", "POS"}, 0},
    {build_factors, OP_MUL, 2, {S2(2, 3), {0}}, {0}, {"UNIT", "POS"}, 1},
    {build_factors, OP_MUL, 2, {S2(2, 3), {0}}, {0}, {"UNIT", "POS"}, 3},
    {build_cumsum, OP_CUMSUM, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 1},
    {build_chain, OP_CHAIN, 1, {S3(4, 2, 2)}, {0}, {"REAL"}, 0},
    {build_chain, OP_CHAIN, 1, {S4(2, 3, 2, 2)}, {0}, {"REAL"}, 0},
    {build_recur, OP_RECUR, 2, {S3(4, 2, 2), S2(5, 2)}, {0}, {"REAL", "REAL"}, 0},
    {build_recur, OP_RECUR, 2, {S4(2, 3, 2, 2), S3(2, 4, 2)}, {0}, {"REAL", "REAL"}, 1},
    {build_scan, OP_SCAN, 3, {{0}, S1(4), {0}}, {0}, {"UNIT", "UNIT", "UNIT"}, 0},
    {build_scan, OP_SCAN, 3, {S1(2), S2(2, 4), S2(2, 1)}, {0}, {"UNIT", "UNIT", "UNIT"}, 1},
    {build_reshape, OP_RESHAPE, 1, {S2(2, 3)}, {0}, {"REAL"}, 0},
    {build_expand, OP_EXPAND, 1, {S2(2, 1)}, {0}, {"REAL"}, 0},
    {build_permute, OP_PERMUTE, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 0},
    {build_slice, OP_SLICE, 1, {S2(2, 6)}, {0}, {"REAL"}, 1},
    {build_slice, OP_SLICE, 1, {S2(2, 6)}, {0}, {"REAL"}, -1},
    {build_slices, OP_SLICE, 1, {S2(2, 6)}, {0}, {"POS"}, 0},
    {build_pad, OP_PAD, 1, {S2(2, 3)}, {0}, {"UNIT"}, 1},
    {build_pad, OP_PAD, 1, {S2(2, 3)}, {0}, {"UNIT"}, -1},
    {build_concat, OP_CONCAT, 2, {S2(2, 3), S2(2, 1)}, {0}, {"REAL", "REAL"}, 1},
    {build_gather, OP_GATHER, 1, {S2(2, 3)}, {0}, {"REAL"}, 0},
    {build_gather, OP_GATHER, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 1},
    {build_gather, OP_GATHER, 1, {S3(2, 3, 2)}, {0}, {"REAL"}, 2},
    {build_scatter_add, OP_SCATTER_ADD, 1, {S3(2, 3, 2)}, {0}, {"UNIT"}, 0},
    {build_diagonal, OP_DIAGONAL, 1, {S3(2, 3, 3)}, {0}, {"REAL"}, 0},
    {build_diag_embed, OP_DIAG_EMBED, 1, {S2(2, 3)}, {0}, {"REAL"}, 0},
    {build_tril, OP_TRIL, 1, {S3(2, 3, 3)}, {0}, {"REAL"}, 0},
    {build_tril, OP_TRIL, 1, {S2(3, 4)}, {0}, {"REAL"}, -1},
    {build_variable, OP_VARIABLE, 1, {S2(2, 3)}, {0}, {"REAL"}, 0},
    {build_matmul, OP_MATMUL, 2, {S2(2, 3), S2(3, 4)}, {0}, {"REAL", "REAL"}, 0},
    {build_matmul, OP_MATMUL, 2, {S2(3, 2), S3(2, 3, 2)}, {0}, {"REAL", "REAL"}, 1},
    {build_cholesky, OP_CHOLESKY, 1, {S3(2, 3, 3)}, {0}, {"REAL"}, 0},
    {build_tri_solve, OP_TRI_SOLVE, 2, {S2(3, 3), S3(2, 3, 2)}, {0}, {"POS", "REAL"}, 0},
    {build_tri_solve, OP_TRI_SOLVE, 2, {S3(2, 3, 3), S2(3, 2)}, {0}, {"POS", "REAL"}, TRI_TRANSPOSED},
    {build_tri_solve, OP_TRI_SOLVE, 2, {S2(3, 3), S2(3, 2)}, {0}, {"POS", "REAL"}, TRI_UPPER},
    {build_tri_solve, OP_TRI_SOLVE, 2, {S2(3, 3), S2(3, 2)}, {0}, {"POS", "REAL"}, TRI_UPPER | TRI_TRANSPOSED},
    {build_inv_quad, OP_INV_QUAD, 2, {S2(3, 3), S3(2, 3, 2)}, {0}, {"POS", "REAL"}, 0},
    {build_inv_quad, OP_INV_QUAD, 2, {S3(2, 3, 3), S2(3, 2)}, {0}, {"POS", "REAL"}, 0},
    {build_inv_quad, OP_INV_QUAD, 2, {S3(2, 3, 3), S3(2, 3, 1)}, {0}, {"REAL", "REAL"}, 1},
    {build_inv_quad, OP_INV_QUAD, 2, {S2(3, 3), S3(2, 3, 2)}, {0}, {"REAL", "REAL"}, 2},
    {build_inv_quad, OP_INV_QUAD, 2, {S2(3, 3), S3(2, 3, 1)}, {0}, {"REAL", "REAL"}, 3},
    {build_log_diag, OP_LOG_DIAG, 1, {S3(2, 3, 3)}, {0}, {"POS"}, 0},
    {build_log_diag, OP_LOG_DIAG, 1, {S3(2, 3, 3)}, {0}, {"REAL"}, 1},
    {build_log_diag, OP_LOG_DIAG, 1, {S2(3, 3)}, {0}, {"REAL"}, 2},
    {build_root_inverse, OP_ROOT_INVERSE, 1, {S3(2, 3, 3)}, {0}, {"POS"}, 0},
    {build_root_inverse, OP_ROOT_INVERSE, 1, {S3(2, 3, 3)}, {0}, {"REAL"}, 1},
    {build_root_inverse, OP_ROOT_INVERSE, 1, {S2(3, 3)}, {0}, {"REAL"}, 2},
    {build_root_inverse, OP_ROOT_INVERSE, 1, {S2(3, 3)}, {0}, {"REAL"}, 3},
};
enum { NCASES = sizeof cases / sizeof *cases };

START_TEST(test_arrays) {
    assert_gradient(&cases[_i], 0);
    assert_gradient(&cases[_i], 1);
}
END_TEST

START_TEST(test_every_rule_has_a_case) {
    for (int op = 0; op < OP_COUNT; op++) {
        if (table[op].gradient == ZERO || table[op].gradient == NONE || table[op].class == EW) continue;
        bool found = op == OP_DRAW_GAMMA || op == OP_DRAW_LOG_GAMMA; /* test_draws */
        for (int k = 0; k < NCASES; k++) found |= cases[k].op == (Op)op;
        ck_assert_msg(found, "%s has a rule but no case", op_info((Op)op)->name);
    }
}
END_TEST

/* Shares that would go past a factor to its matrix stay when it is the factor's gradient that is asked for. */
START_TEST(test_a_factor_itself) {
    Ctx *c = ctx_new();
    Arena *arena = arena_new();
    Tape *t = tape_new(c, arena, true);
    static const real numbers[] = {4, 1, 1, 3}, right[] = {1, 2};
    t->inputs[0] = numbers;
    Tensor *column = tensor_new(c, arena, shape2(2, 1));
    memcpy(column->data, right, sizeof right);
    Var s = tape_input(t, 0, 0, shape2(2, 2)), l = op_cholesky(t, s), b = var_constant(column);
    Var y = op2(t, OP_ADD, op_inv_quad(t, l, b), op_log_diag(t, l)), both[2], past, apart;
    tape_grad(t, y, NULL, 2, (Var[]){l, s}, both);
    tape_grad(t, y, NULL, 1, &s, &past);
    Var same = tape_variable(t, l);
    tape_grad(t, op2(t, OP_ADD, op_inv_quad(t, same, b), op_log_diag(t, same)), NULL, 1, &same, &apart);
    for (int k = 0; k < 4; k++) {
        ck_assert_double_eq_tol(tensor_item(both[0].value, k), tensor_item(apart.value, k), 1e-14);
        ck_assert_double_eq_tol(tensor_item(both[1].value, k), tensor_item(past.value, k), 1e-14);
    }
    ck_assert_double_gt(fabs(tensor_item(both[0].value, 0)), 0.1);
    ck_assert_double_gt(fabs(tensor_item(both[1].value, 0)), 0.01);
    arena_free(arena);
    ctx_free(c);
}
END_TEST

/* -- The checker itself -- */

static Var build_wrong(Tape *t, const Case *c, const Var *in) {
    (void)c;
    return op2(t, OP_MUL, in[0], op_stop_gradient(t, in[0])); /* the gradient will be x, not 2 x */
}

START_TEST(test_a_wrong_rule_is_caught) {
    Case c = {build_wrong, OP_MUL, 1, {shape2(2, 3)}, {0}, {"POS"}, 0};
    ck_assert_double_gt(case_error(&c, 0, 1), 0.05);
}
END_TEST

/* -- What cannot be differenced: draws move along their quantile -- */

START_TEST(test_draws) {
    Ctx *ctx = ctx_new();
    Arena *arena = arena_new();
    Tape *t = tape_new(ctx, arena, true);
    const real shapes[3] = {0.4, 1.7, 12};
    t->inputs[0] = shapes;
    RandomSite site = {.key = 99, .n = 1, .index = {{.dim = 0, .first = 1}}, .particle_dim = -1};
    Var a = tape_input(t, 0, 0, shape1(3)), ga, gl;
    Var x = op_random(t, OP_DRAW_GAMMA, 1, &a, shape1(3), &site);
    Var l = op_random(t, OP_DRAW_LOG_GAMMA, 1, &a, shape1(3), &site);
    tape_grad(t, x, NULL, 1, &a, &ga);
    tape_grad(t, l, NULL, 1, &a, &gl);
    for (int k = 0; k < 3; k++) {
        real v = tensor_item(x.value, k), h = 1e-5, s = shapes[k];
        ck_assert_double_gt(v, 0);
        real up = op_scalar(OP_GAMMA_P, 2, (double[]){s + h, v}), down = op_scalar(OP_GAMMA_P, 2, (double[]){s - h, v});
        real right = op_scalar(OP_GAMMA_P, 2, (double[]){s, v * (1 + h)}),
             left = op_scalar(OP_GAMMA_P, 2, (double[]){s, v * (1 - h)});
        real slope = -(up - down) / (right - left) * v;
        ck_assert_double_eq_tol(tensor_item(ga.value, k), slope, 1e-5 * fabs(slope));
        real w = exp(tensor_item(l.value, k));
        ck_assert_double_eq_tol(tensor_item(gl.value, k), op_scalar(OP_GAMMA_DRAW_GRAD, 2, (double[]){s, w}) / w, 1e-8);
    }
    arena_free(arena);
    ctx_free(ctx);
}
END_TEST

/* -- Edges -- */

typedef struct Bench {
    Ctx *ctx;
    Arena *arena;
    Tape *t;
} Bench;

static Bench bench_new(void) {
    Ctx *ctx = ctx_new();
    Arena *arena = arena_new();
    return (Bench){ctx, arena, tape_new(ctx, arena, true)};
}

static void bench_free(Bench b) {
    arena_free(b.arena);
    ctx_free(b.ctx);
}

static Var input_of(Tape *t, const real *x, Shape s) {
    t->inputs[0] = x;
    return tape_input(t, 0, 0, s);
}

/* No 0 * inf: what was not chosen, a logarithm of nothing, a zero to a positive power. */
START_TEST(test_edges_are_not_nan) {
    Bench b = bench_new();
    Tape *t = b.t;
    Var x = input_of(t, (real[]){0, 4, -INFINITY, -INFINITY}, shape1(4)), g;
    Var head = op_slice(t, x, 0, 0, 2, 1), tail = op_slice(t, x, 0, 2, 2, 1), zero = var_number(t, 0);
    Var safe = op3(t, OP_WHERE, op2(t, OP_GT, head, zero), op1(t, OP_SQRT, head), zero);
    tape_grad(t, op_sum_all(t, op1(t, OP_SQUARE, safe)), NULL, 1, &head, &g);
    ck_assert_double_eq(tensor_item(g.value, 1), 1);
    tape_grad(t, op2(t, OP_POW, head, var_number(t, 3)), NULL, 1, &head, &g);
    ck_assert_double_eq(tensor_item(g.value, 0), 0);
    tape_grad(t, op2(t, OP_POW, head, var_number(t, 0)), NULL, 1, &head, &g);
    ck_assert_double_eq(tensor_item(g.value, 0), 0);
    tape_grad(t, op2(t, OP_XLOGY, zero, head), NULL, 1, &head, &g);
    ck_assert_double_eq(tensor_item(g.value, 0), 0);
    Var ones = input_of(t, (real[]){1, 1}, shape1(2)), share = op2(t, OP_MUL, ones, head), h; /* 0 and 4 */
    for (int k = 0; k < 3; k++) { /* what has no share of a sum gives no gradient, the first time and the second */
        Var x = k == 2 ? op2(t, OP_SUB, share, var_number(t, 1)) : share;
        Var terms = k == 0 ? op1(t, OP_LOG, x) : op2(t, k == 1 ? OP_XLOGY : OP_XLOG1PY, var_number(t, 3), x);
        tape_grad(t, op_reduce(t, OP_LOGSUMEXP, terms, 1), NULL, 1, &ones, &g);
        ck_assert_double_eq(tensor_item(g.value, 0), 0);
        ck_assert_double_eq_tol(tensor_item(g.value, 1), k == 0 ? 1 : 3, 1e-15);
        tape_grad(t, op_sum_all(t, g), NULL, 1, &ones, &h);
        ck_assert_double_eq(tensor_item(h.value, 0), 0);
        ck_assert_double_eq_tol(tensor_item(h.value, 1), k == 0 ? -1 : -3, 1e-14);
    }
    tape_grad(t, op_reduce(t, OP_LOGSUMEXP, tail, 1), NULL, 1, &tail, &g);
    ck_assert_double_eq(tensor_item(g.value, 0), 0);
    Var l = op2(t, OP_LOG_ADD_EXP, op_slice(t, x, 0, 2, 1, 1), op_slice(t, x, 0, 3, 1, 1));
    tape_grad(t, l, NULL, 1, &tail, &g);
    ck_assert_double_eq(tensor_item(g.value, 1), 0);
    tape_grad(t, op_reduce(t, OP_PROD, head, 1), NULL, 1, &head, &g);
    ck_assert_double_eq(tensor_item(g.value, 0), 4);
    ck_assert_double_eq(tensor_item(g.value, 1), 0);
    bench_free(b);
}
END_TEST

START_TEST(test_variables_of_interest) {
    Bench b = bench_new();
    Tape *t = b.t;
    Var x = input_of(t, (real[]){2, 3}, shape1(2)), other = tape_input(t, 0, 0, SHAPE_SCALAR);
    Var c = tape_variable(t, var_number(t, 5)), y = op_sum_all(t, op2(t, OP_MUL, op1(t, OP_SQUARE, x), c));
    Var wrt[] = {x, c, other, y}, g[4];
    tape_grad(t, y, NULL, 4, wrt, g);
    ck_assert_double_eq(tensor_item(g[0].value, 1), 30);
    ck_assert_double_eq(tensor_item(g[1].value, 0), 13);
    ck_assert_double_eq(tensor_item(g[2].value, 0), 0);
    ck_assert_double_eq(tensor_item(g[3].value, 0), 1);
    Var seed = var_number(t, 10);
    tape_grad(t, op1(t, OP_SQUARE, x), &seed, 1, &x, g);
    ck_assert_double_eq(tensor_item(g[0].value, 0), 40);
    tape_grad(t, op1(t, OP_FLOOR, x), NULL, 1, &x, g);
    ck_assert_double_eq(tensor_item(g[0].value, 0), 0);
    bench_free(b);
}
END_TEST

static void differentiate_von_mises(void *arg) {
    Tape *t = arg;
    RandomSite site = {.key = 3, .particle_dim = -1};
    Var kappa = input_of(t, (real[]){2}, SHAPE_SCALAR), g;
    t->ctx->span.line = 7;
    Var x = op_random(t, OP_DRAW_VON_MISES, 1, &kappa, SHAPE_SCALAR, &site);
    t->ctx->span.line = 9;
    tape_grad(t, x, NULL, 1, &kappa, &g);
}

START_TEST(test_a_missing_rule_is_named) {
    Bench b = bench_new();
    Error e;
    ck_assert(!ctx_protect(b.ctx, differentiate_von_mises, b.t, &e));
    ck_assert_ptr_nonnull(strstr(e.message, "draw_von_mises"));
    ck_assert_int_eq(e.span.line, 7);
    bench_free(b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("grad");
    TCase *rules = tcase_create("rules"), *rest = tcase_create("rest");
    tcase_set_timeout(rules, 60);
    tcase_add_loop_test(rules, test_elementwise, 0, OP_COUNT);
    tcase_add_loop_test(rules, test_arrays, 0, NCASES);
    tcase_add_test(rest, test_every_rule_has_a_case);
    tcase_add_test(rest, test_a_wrong_rule_is_caught);
    tcase_add_test(rest, test_a_factor_itself);
    tcase_add_test(rest, test_draws);
    tcase_add_test(rest, test_edges_are_not_nan);
    tcase_add_test(rest, test_variables_of_interest);
    tcase_add_test(rest, test_a_missing_rule_is_named);
    suite_add_tcase(s, rules);
    suite_add_tcase(s, rest);
    return suite_run(s);
}
