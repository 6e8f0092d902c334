/* Arrays with axes: whatever is done to all elements at once is what is done to each element alone.
 *
 * Random arrays over random subsets of four axes go through an operation; then every element (a place along each axis)
 * is taken out of the operands, put through the same operation without axes, and compared with that element of the
 * result. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "interp/builtins.h"
#include "suite.h"

enum { NAXES = 4 };
#define AXIS(k, n, f, s, o) {.kind = k, .name = n, .first = f, .size = s, .order = o, .population = s}
static const Axis axes[NAXES] = {AXIS(AXIS_PARTICLE, "p", 1, 2, 0), AXIS(AXIS_PLATE, "i", 1, 3, 10),
                                 AXIS(AXIS_PLATE, "j", 2, 2, 11), AXIS(AXIS_ENUM, "k", 1, 4, 90)};

static Interp session;
static Ctx *ctx;
static Stream noise;

static void setup(void) {
    ctx = ctx_new();
    session = (Interp){.ctx = ctx, .arena = ctx_arena(ctx)};
    session.tape = tape_new(ctx, session.arena, false);
    noise = stream_at(20240519, 0, 0, 0);
}

static void teardown(void) {
    arena_free(session.arena);
    ctx_free(ctx);
}

static int pick(int n) { return (int)(stream_uniform(&noise) * n); }

/* An array with the axes of the mask; low > high: normal noise, else whole numbers low..high. */
static Value random_array(unsigned mask, Shape event, int low, int high) {
    Shape s = {0};
    Array a = {0};
    for (int k = 0; k < NAXES; k++)
        if (mask >> k & 1) a.axes[a.naxes++] = &axes[k], s.dim[s.rank++] = axes[k].size;
    for (int k = 0; k < event.rank; k++) s.dim[s.rank++] = event.dim[k];
    Tensor *t = tensor_new(ctx, session.arena, s);
    for (int64_t k = 0; k < shape_size(s); k++)
        t->data[k] = low > high ? stream_normal(&noise) : low + pick(high - low + 1);
    a.var = var_constant(t);
    return array_value(&session, a);
}

static Value index_of_axis(int k) {
    Tensor *t = tensor_new(ctx, session.arena, shape1(axes[k].size));
    for (int64_t i = 0; i < axes[k].size; i++) t->data[i] = (real)(axes[k].first + i);
    Array a = {.var = var_constant(t), .naxes = 1, .axes = {&axes[k]}, .index_of = &axes[k]};
    return array_value(&session, a);
}

/* The element at these places along the axes, without axes. */
static Value element(Value v, const int *place) {
    if (v.kind != VALUE_ARRAY) return v;
    Array a = *v.u.array;
    while (a.naxes) {
        int axis = (int)(a.axes[0] - axes);
        Shape s = a.var.value->shape, rest = shape_of(s.rank - 1, s.dim + 1);
        ck_assert_int_eq(s.dim[0], a.axes[0]->size);
        a.var = op_reshape(session.tape, op_slice(session.tape, a.var, 0, place[axis], 1, 1), rest);
        memmove(a.axes, a.axes + 1, sizeof a.axes[0] * (size_t)--a.naxes);
    }
    a.index_of = NULL;
    return array_value(&session, a);
}

static void check_same(Value whole, Value alone) {
    Array a = value_array(&session, whole, SPAN_NONE, "whole"), b = value_array(&session, alone, SPAN_NONE, "alone");
    ck_assert_msg(shape_equal(a.var.value->shape, b.var.value->shape), "shapes %s and %s",
                  shape_text(session.arena, a.var.value->shape), shape_text(session.arena, b.var.value->shape));
    for (int64_t k = 0; k < shape_size(a.var.value->shape); k++)
        ck_assert_double_eq_tol(tensor_item(a.var.value, k), tensor_item(b.var.value, k), 1e-12);
}

/* Sorted by order, and no axis that no operand has. */
static void check_axes(Value v, unsigned mask) {
    if (v.kind != VALUE_ARRAY) return;
    unsigned seen = 0;
    for (int k = 0; k < v.u.array->naxes; k++) {
        unsigned bit = 1u << (v.u.array->axes[k] - axes);
        ck_assert(!(seen >= bit));
        seen |= bit;
    }
    ck_assert_uint_eq(seen, mask);
}

#define EACH_ELEMENT(place)                                                                                            \
    for (int place[NAXES] = {0}; place[0] < axes[0].size; place[0]++)                                                  \
        for (place[1] = 0; place[1] < axes[1].size; place[1]++)                                                        \
            for (place[2] = 0; place[2] < axes[2].size; place[2]++)                                                    \
                for (place[3] = 0; place[3] < axes[3].size; place[3]++)

static Shape random_event(int rank) {
    Shape s = {.rank = rank};
    for (int k = 0; k < rank; k++) s.dim[k] = 1 + pick(4);
    return s;
}

START_TEST(elementwise_agrees_with_each_element) {
    for (int trial = 0; trial < 60; trial++) {
        unsigned ma = (unsigned)pick(16), mb = (unsigned)pick(16), mc = (unsigned)pick(16);
        Shape event = random_event(pick(3)), lower = event;
        if (lower.rank > 0 && pick(2)) lower = shape_of(event.rank - 1, event.dim + 1);
        if (lower.rank > 0 && pick(2)) lower.dim[0] = 1;
        Value args[3] = {random_array(ma, event, 0, 1), random_array(mb, lower, 1, 0), random_array(mc, event, 1, 0)};
        Value all = array_apply(&session, OP_WHERE, 3, args, SPAN_NONE);
        check_axes(all, ma | mb | mc);
        EACH_ELEMENT(place) {
            Value one[3] = {element(args[0], place), element(args[1], place), element(args[2], place)};
            check_same(element(all, place), array_apply(&session, OP_WHERE, 3, one, SPAN_NONE));
        }
    }
}
END_TEST

static double at2(Value v, int64_t i, int64_t j) { /* a vector is seen as a row or a column by the caller */
    const Tensor *t = value_array(&session, v, SPAN_NONE, "").var.value;
    return tensor_item(t, t->shape.rank == 2 ? i * t->shape.dim[1] + j : i + j);
}

/* The product by its definition, without axes; ranks 1 and 2. */
static void check_product(Value a, Value b, Value out) {
    Shape sa = value_event_shape(&session, a, SPAN_NONE), sb = value_event_shape(&session, b, SPAN_NONE);
    int64_t n = sa.rank == 2 ? sa.dim[0] : 1, k = sa.dim[sa.rank - 1], m = sb.rank == 2 ? sb.dim[1] : 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) sum += at2(a, i, l) * at2(b, l, j);
            ck_assert_double_eq_tol(at2(out, i, j), sum, 1e-12);
        }
}

START_TEST(matmul_agrees_with_each_element) {
    for (int trial = 0; trial < 120; trial++) {
        unsigned ma = (unsigned)pick(16), mb = (unsigned)pick(16);
        int ra = 1 + pick(2), rb = 1 + pick(2);
        Shape sa = random_event(ra), sb = random_event(rb);
        sb.dim[0] = sa.dim[ra - 1];
        Value a = random_array(ma, sa, 1, 0), b = random_array(mb, sb, 1, 0),
              all = array_matmul(&session, a, b, SPAN_NONE);
        check_axes(all, ma | mb);
        ck_assert_int_eq(value_event_shape(&session, all, SPAN_NONE).rank, ra - 1 + rb - 1);
        EACH_ELEMENT(place) check_product(element(a, place), element(b, place), element(all, place));
    }
}
END_TEST

/* Batches of matrices in the event dimensions: [2, n, k] @ [2, k, m] and a vector from either side. */
START_TEST(matmul_of_batches) {
    for (int trial = 0; trial < 60; trial++) {
        unsigned ma = (unsigned)pick(16), mb = (unsigned)pick(16);
        int form = pick(3);
        Shape sa = form == 0 ? shape_of(1, (int64_t[]){3}) : shape_of(3, (int64_t[]){2, 4, 3});
        Shape sb = form == 1 ? shape_of(2, (int64_t[]){3, 2}) : shape_of(3, (int64_t[]){2, 3, 2});
        Value a = random_array(ma, sa, 1, 0), b = random_array(mb, sb, 1, 0),
              all = array_matmul(&session, a, b, SPAN_NONE);
        check_axes(all, ma | mb);
        EACH_ELEMENT(place) {
            for (int batch = 1; batch <= 2; batch++) {
                Value i = value_number(batch), x = element(a, place), y = element(b, place), z = element(all, place);
                if (sa.rank == 3) x = array_index(&session, x, 1, &i, NULL, SPAN_NONE);
                if (sb.rank == 3) y = array_index(&session, y, 1, &i, NULL, SPAN_NONE);
                z = array_index(&session, z, 1, &i, NULL, SPAN_NONE);
                check_product(x, y, z);
            }
        }
    }
}
END_TEST

/* Any mixture of `:`, ranges, numbers, plates' own indices and index arrays (scalar or vector per element). */
START_TEST(index_agrees_with_each_element) {
    for (int trial = 0; trial < 400; trial++) {
        unsigned mask = (unsigned)pick(16), all_axes = mask;
        int rank = 1 + pick(3), n = 1 + pick(rank), vectors = 1 + pick(3);
        Shape event = {.rank = rank};
        for (int k = 0; k < rank; k++) event.dim[k] = 4 + pick(2);
        Value base = random_array(mask, event, 1, 0), index[3];
        for (int k = 0; k < n; k++) {
            int kind = pick(6), axis = pick(NAXES);
            unsigned m = (unsigned)pick(16);
            if (kind == 0)
                index[k] = value_none();
            else if (kind == 1)
                index[k] =
                    (Value){VALUE_RANGE, .u.range = arena_copy(session.arena, &(Range){2, 1 + pick(4)}, sizeof(Range))};
            else if (kind == 2)
                index[k] = value_number(1 + pick(4));
            else if (kind == 3)
                index[k] = index_of_axis(axis), all_axes |= 1u << axis;
            else if (kind == 4)
                index[k] = random_array(m, SHAPE_SCALAR, 1, 4), all_axes |= m;
            else
                index[k] = random_array(m, shape1(vectors), 1, 4), all_axes |= m;
        }
        Value all = array_index(&session, base, n, index, NULL, SPAN_NONE);
        check_axes(all, all_axes);
        EACH_ELEMENT(place) {
            Value one[3];
            for (int k = 0; k < n; k++) one[k] = element(index[k], place);
            check_same(element(all, place), array_index(&session, element(base, place), n, one, NULL, SPAN_NONE));
        }
    }
}
END_TEST

/* Without axes, against the definition: x[a, b] with vectors is x at (a1, b1), (a2, b2), ...; a single vector keeps its
 * place. */
START_TEST(index_vectors_by_definition) {
    Value x = random_array(0, shape_of(3, (int64_t[]){3, 4, 5}), 1, 0);
    const Tensor *t = x.u.array->var.value;
    Value a = random_array(0, shape1(6), 1, 3), b = random_array(0, shape1(6), 1, 5);
    const Tensor *ta = a.u.array->var.value, *tb = b.u.array->var.value;
    const Tensor *joint =
        array_index(&session, x, 3, (Value[]){a, value_none(), b}, NULL, SPAN_NONE).u.array->var.value;
    const Tensor *single =
        array_index(&session, x, 3, (Value[]){value_none(), value_number(2), b}, NULL, SPAN_NONE).u.array->var.value;
    ck_assert(shape_equal(joint->shape, shape2(6, 4)));
    ck_assert(shape_equal(single->shape, shape2(3, 6)));
    for (int k = 0; k < 6; k++) {
        int64_t i = (int64_t)tensor_item(ta, k) - 1, l = (int64_t)tensor_item(tb, k) - 1;
        for (int64_t j = 0; j < 4; j++)
            ck_assert_double_eq(tensor_item(joint, k * 4 + j), tensor_item(t, (i * 4 + j) * 5 + l));
        for (int64_t r = 0; r < 3; r++)
            ck_assert_double_eq(tensor_item(single, r * 6 + k), tensor_item(t, (r * 4 + 1) * 5 + l));
    }
}
END_TEST

START_TEST(own_index_is_a_view) {
    Value x = random_array(0, shape2(3, 5), 1, 0), i = index_of_axis(1);
    Array rows = *array_index(&session, x, 1, &i, NULL, SPAN_NONE).u.array;
    ck_assert_int_eq(rows.naxes, 1);
    ck_assert_ptr_eq(rows.var.value->data, x.u.array->var.value->data);
    Value j = index_of_axis(2); /* runs over 2..3 */
    rows = *array_index(&session, x, 1, &j, NULL, SPAN_NONE).u.array;
    ck_assert_ptr_eq(rows.var.value->data, x.u.array->var.value->data + 5);
}
END_TEST

START_TEST(axes_come_and_go) {
    for (int trial = 0; trial < 60; trial++) {
        unsigned mask = (unsigned)pick(16);
        int k = pick(NAXES);
        Value v = random_array(mask, random_event(pick(3)), 1, 0);
        Value out = array_axis_to_event(&session, v, &axes[k]),
              back = array_event_to_axis(&session, out, &axes[k], SPAN_NONE);
        check_axes(out, mask & ~(1u << k));
        check_axes(back, mask | 1u << k);
        ck_assert_int_eq(value_event_shape(&session, out, SPAN_NONE).dim[0], axes[k].size);
        Value total = array_reduce_axis(&session, OP_SUM, v, &axes[k], SPAN_NONE);
        check_same(total, array_reduce(&session, OP_SUM, out, 1, SPAN_NONE));
        EACH_ELEMENT(place) {
            Value at = value_number(place[k] + 1);
            check_same(element(back, place), element(v, place));
            check_same(array_index(&session, element(out, place), 1, &at, NULL, SPAN_NONE), element(v, place));
        }
    }
}
END_TEST

START_TEST(items_agree_with_each_element) {
    for (int trial = 0; trial < 40; trial++) {
        Value items[3];
        Shape event = random_event(pick(3));
        unsigned mask = 0;
        for (int k = 0; k < 3; k++) {
            unsigned m = (unsigned)pick(16);
            items[k] = random_array(m, event, 1, 0);
            mask |= m;
        }
        Value all = array_from_items(&session, 3, items, SPAN_NONE);
        check_axes(all, mask);
        EACH_ELEMENT(place) {
            for (int k = 0; k < 3; k++) {
                Value at = value_number(k + 1);
                check_same(array_index(&session, element(all, place), 1, &at, NULL, SPAN_NONE),
                           element(items[k], place));
            }
        }
    }
}
END_TEST

/* Builtins that work on event dimensions: f(whole) at an element is f(element). */
static const Builtin *find(const Builtin *table, const char *name) {
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0) return table;
    ck_abort_msg("no builtin %s", name);
    return NULL;
}

static Value call(const Builtin *b, int n, Value *values, int nrest, Value *rest) {
    static const char *names[4];
    Args args = {.values = values, .n = n, .rest = rest, .rest_names = names, .nrest = nrest, .span = SPAN_NONE};
    return builtin_call(&session, b, &args);
}

START_TEST(builtins_leave_axes_alone) {
    static const struct {
        const char *name;
        int n, nrest;
        bool dim;
    } cases[] = {
        {"sum", 3, 0, false},        {"sum", 3, 0, true},       {"mean", 3, 0, false},    {"mean", 3, 0, true},
        {"var", 3, 0, false},        {"sd", 3, 0, true},        {"prod", 3, 0, true},     {"all", 3, 0, false},
        {"any", 3, 0, true},         {"count", 3, 0, false},    {"argmax", 2, 0, false},  {"argmax", 2, 0, true},
        {"argmin", 2, 0, true},      {"median", 2, 0, false},   {"median", 2, 0, true},   {"cumsum", 2, 0, false},
        {"cumsum", 2, 0, true},      {"cumprod", 2, 0, true},   {"softmax", 2, 0, false}, {"softmax", 2, 0, true},
        {"log_softmax", 2, 0, true}, {"sort", 3, 0, false},     {"sort", 3, 0, true},     {"order", 3, 0, true},
        {"rev", 2, 0, true},         {"logsumexp", 3, 0, true}, {"min", 1, 0, false},     {"max", 1, 0, false}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int trial = 0; trial < 8; trial++) {
            unsigned mask = (unsigned)pick(16);
            Value x = random_array(mask, shape2(3, 4), 1, 0),
                  args[3] = {x, cases[c].dim ? value_number(1 + pick(2)) : value_none()};
            const Builtin *b = find(builtins_math, cases[c].name);
            Value all = call(b, cases[c].n, args, 0, NULL);
            check_axes(all, mask);
            EACH_ELEMENT(place) {
                args[0] = element(x, place);
                check_same(element(all, place), call(b, cases[c].n, args, 0, NULL));
            }
        }
}
END_TEST

START_TEST(linear_algebra_leaves_axes_alone) {
    static const char *const names[] = {"inverse", "det", "log_det", "trace", "diag", "tril", "triu", "cov"};
    for (int trial = 0; trial < 20; trial++) {
        unsigned ma = (unsigned)pick(16), mb = (unsigned)pick(16);
        Value a = random_array(ma, shape2(3, 3), 1, 0), b = random_array(mb, pick(2) ? shape1(3) : shape2(3, 2), 1, 0);
        Value x = call(find(builtins_linalg, "solve"), 2, (Value[]){a, b}, 0, NULL);
        check_axes(x, ma | mb);
        Value product = array_matmul(&session, a, x, SPAN_NONE),
              difference = array_binary(&session, BINARY_SUB, product, b, SPAN_NONE);
        Array d = value_array(&session, difference, SPAN_NONE, "");
        for (int64_t k = 0; k < shape_size(d.var.value->shape); k++)
            ck_assert_double_eq_tol(tensor_item(d.var.value, k), 0, 1e-9);
        for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
            Value args[2] = {a}, all = call(find(builtins_linalg, names[c]), 2, args, 0, NULL);
            check_axes(all, ma);
            EACH_ELEMENT(place) {
                args[0] = element(a, place);
                Value alone = call(find(builtins_linalg, names[c]), 2, args, 0, NULL);
                if (strcmp(names[c], "inverse") != 0) check_same(element(all, place), alone);
            }
        }
    }
}
END_TEST

START_TEST(shapes_leave_axes_alone) {
    static const char *const names[] = {"reshape", "permute", "full", "concat", "stack"};
    for (int trial = 0; trial < 20; trial++)
        for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
            unsigned mask = (unsigned)pick(16), other = (unsigned)pick(16);
            const Builtin *b = find(builtins_array, names[c]);
            Value x = random_array(mask, c == 2 ? SHAPE_SCALAR : shape2(3, 4), 1, 0),
                  y = random_array(other, shape2(3, 4), 1, 0);
            Value sizes[2] = {value_number(c == 0 ? 6 : 2), value_number(c == 0 ? 2 : 1)}, pair[2] = {x, y};
            bool two = c >= 3;
            Value all = two ? call(b, 0, NULL, 2, pair) : call(b, 1, &x, 2, sizes);
            check_axes(all, two ? mask | other : mask);
            EACH_ELEMENT(place) {
                Value one = element(x, place), ones[2] = {one, element(y, place)};
                check_same(element(all, place), two ? call(b, 0, NULL, 2, ones) : call(b, 1, &one, 2, sizes));
            }
        }
}
END_TEST

/* -- What is refused -- */

static Value bad_base, bad_index[2];
static int bad_n;
static void index_badly(void *unused) { array_index(&session, bad_base, bad_n, bad_index, NULL, SPAN_NONE); }
static void read_number(void *unused) { value_to_number(&session, bad_base, SPAN_NONE, "the number of steps"); }

static void expect_message(void (*body)(void *), const char *words) {
    Error e;
    ck_assert(!ctx_protect(ctx, body, NULL, &e));
    ck_assert_int_eq(e.kind, ERROR_PROGRAM);
    ck_assert_msg(strstr(e.message, words) != NULL, "\"%s\" does not contain \"%s\"", e.message, words);
}

START_TEST(indices_outside_are_refused) {
    bad_base = random_array(2, shape2(8, 2), 1, 0);
    bad_n = 1;
    bad_index[0] = value_number(9);
    expect_message(index_badly, "index 9 is outside 1..8 in dimension 1 of an array of shape [8, 2]");
    bad_index[0] = random_array(4, shape1(3), 9, 9);
    expect_message(index_badly, "index 9 is outside 1..8");
    bad_n = 2;
    bad_index[0] = value_number(1);
    bad_index[1] = index_of_axis(3);
    expect_message(index_badly, "index 4 is outside 1..2 in dimension 2");
    bad_index[1] = value_number(1.5);
    expect_message(index_badly, "whole number");
}
END_TEST

START_TEST(single_values_ask_for_one_element_at_a_time) {
    Error e;
    bad_base = random_array(6, SHAPE_SCALAR, 1, 0);
    session.split = NULL;
    ck_assert(!ctx_protect(ctx, read_number, NULL, &e));
    ck_assert_int_eq(e.kind, ERROR_ELEMENTWISE);
    ck_assert_ptr_eq(session.split, &axes[2]);
    bad_base = random_array(0, shape1(3), 1, 0);
    expect_message(read_number, "the number of steps must be one number, not an array of shape [3]");
}
END_TEST

/* Derivatives through indexing, products and linear algebra, against differences. */
static Value objective(Value x) { /* x: [9] with the axis i */
    Args args = {.rest = (Value[]){x, value_number(3), value_number(3)}, .nrest = 3, .span = SPAN_NONE};
    Value m = call(find(builtins_array, "reshape"), 1, &x, 2, args.rest + 1);
    Value i = index_of_axis(1), column = array_index(&session, m, 2, (Value[]){value_none(), i}, NULL, SPAN_NONE);
    Value both = call(find(builtins_linalg, "solve"), 2, (Value[]){m, column}, 0, NULL);
    Value ld = call(find(builtins_linalg, "log_det"), 1, &m, 0, NULL),
          det = call(find(builtins_linalg, "det"), 1, &m, 0, NULL);
    Value inv = call(find(builtins_linalg, "inverse"), 1, &m, 0, NULL),
          product = array_matmul(&session, inv, column, SPAN_NONE);
    Value part = array_binary(&session, BINARY_ADD, array_apply(&session, OP_SIN, 1, &both, SPAN_NONE),
                              array_apply(&session, OP_EXP, 1, &product, SPAN_NONE), SPAN_NONE);
    Value out = array_binary(&session, BINARY_ADD, array_reduce(&session, OP_SUM, part, 0, SPAN_NONE), ld, SPAN_NONE);
    out = array_binary(&session, BINARY_ADD, out, array_apply(&session, OP_SIN, 1, &det, SPAN_NONE), SPAN_NONE);
    return array_reduce_axis(&session, OP_SUM, out, &axes[1], SPAN_NONE);
}

START_TEST(gradients_agree_with_differences) {
    session.tape = tape_new(ctx, session.arena, true);
    Value x = random_array(2, shape1(9), 1, 0);
    Array a = *x.u.array, moved = a;
    a.var = tape_variable(session.tape, a.var);
    Value y = objective(array_value(&session, a));
    Var gradient;
    tape_grad(session.tape, value_array(&session, y, SPAN_NONE, "").var, NULL, 1, &a.var, &gradient);
    session.tape->recording = false;
    const Tensor *t = x.u.array->var.value;
    for (int64_t k = 0; k < 27; k++) {
        double at[2], h = 1e-5;
        for (int side = 0; side < 2; side++) {
            Tensor *other = tensor_new(ctx, session.arena, t->shape);
            tensor_copy_out(t, other->data);
            other->data[k] += side ? h : -h;
            moved.var = var_constant(other);
            at[side] = value_to_number(&session, objective(array_value(&session, moved)), SPAN_NONE, "");
        }
        double difference = (at[1] - at[0]) / (2 * h), g = tensor_item(gradient.value, k);
        ck_assert_double_eq_tol(g, difference, 1e-4 * (1 + fabs(difference)));
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("arrays");
    TCase *c = tcase_create("arrays");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, elementwise_agrees_with_each_element);
    tcase_add_test(c, matmul_agrees_with_each_element);
    tcase_add_test(c, matmul_of_batches);
    tcase_add_test(c, index_agrees_with_each_element);
    tcase_add_test(c, index_vectors_by_definition);
    tcase_add_test(c, own_index_is_a_view);
    tcase_add_test(c, axes_come_and_go);
    tcase_add_test(c, items_agree_with_each_element);
    tcase_add_test(c, builtins_leave_axes_alone);
    tcase_add_test(c, linear_algebra_leaves_axes_alone);
    tcase_add_test(c, shapes_leave_axes_alone);
    tcase_add_test(c, indices_outside_are_refused);
    tcase_add_test(c, single_values_ask_for_one_element_at_a_time);
    tcase_add_test(c, gradients_agree_with_differences);
    suite_add_tcase(s, c);
    return suite_run(s);
}
