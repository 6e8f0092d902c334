/* The parts of inference that programs of the language do not reach one by one: recordings and their guards, layouts of
 * draws, addresses, sums. Fits are tested in tests/inference. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/builtins.h"
#include "infer/draws.h"
#include "infer/handlers.h"
#include "suite.h"

static Ctx *ctx;
static Interp *in;

static void setup(void) {
    ctx = ctx_new();
    in = interp_new(ctx, (const Builtin *const *const[]){infer_builtins, NULL});
    infer_attach(in, NULL);
    in->tape = tape_new(ctx, in->arena, false);
}

static void teardown(void) {
    infer_detach(in);
    interp_free(in);
    ctx_free(ctx);
}

/* -- Recordings -- */

typedef struct Branch {
    double out;
    int runs;
} Branch;

/* exp(x) where x > 0, -x elsewhere: one recording for each side. */
static void *record_branch(Recorder *r, void *self) {
    Branch *b = self;
    Tape *t = r->in->tape;
    Var x = tape_input(t, SLOT_POINT, 0, SHAPE_SCALAR);
    Var y = tape_read(t, op2(t, OP_GT, x, var_number(t, 0))) != 0 ? op1(t, OP_EXP, x) : op1(t, OP_NEG, x);
    recorder_output(r, y, &b->out);
    b->runs++;
    return b;
}

START_TEST(recordings_are_kept_by_their_guards) {
    Arena *a = ctx_arena(ctx);
    Branch b = {0};
    double x = 1;
    Recorder *r = ARENA_NEW(a, Recorder);
    recorder_init(r, in, a, 1, record_branch, &b);
    r->inputs.slots[SLOT_POINT] = &x;
    const double points[] = {1, 2, -3, 0.5, -1, 4};
    for (int k = 0; k < 6; k++) {
        x = points[k];
        ck_assert_ptr_eq(recorder_run(r, (uint32_t)k, 0), &b);
        ck_assert_double_eq(b.out, x > 0 ? exp(x) : -x);
    }
    ck_assert_int_eq(b.runs, 2);
    recorder_forget(r);
    recorder_run(r, 0, 0);
    ck_assert_int_eq(b.runs, 3);
    arena_free(a);
}
END_TEST

START_TEST(walking_gives_the_same_bits) {
    Arena *a = ctx_arena(ctx);
    Branch b = {0};
    double x = 0.7;
    Recorder *r = ARENA_NEW(a, Recorder);
    recorder_init(r, in, a, 1, record_branch, &b);
    r->inputs.slots[SLOT_POINT] = &x;
    r->walk = true;
    recorder_run(r, 1, 0);
    recorder_run(r, 2, 0);
    ck_assert_int_eq(b.runs, 2);
    double walked = b.out;
    r->walk = false;
    recorder_run(r, 3, 0);
    recorder_run(r, 4, 0);
    ck_assert_int_eq(b.runs, 3);
    ck_assert_double_eq(b.out, walked);
    arena_free(a);
}
END_TEST

static void *record_log(Recorder *r, void *self) {
    Tape *t = r->in->tape;
    recorder_output(r, op1(t, OP_LOG, op1(t, OP_NEG, tape_input(t, SLOT_POINT, 0, SHAPE_SCALAR))), self);
    return self;
}

START_TEST(the_first_operation_gone_wrong_is_named) {
    Arena *a = ctx_arena(ctx);
    double x = 2, out;
    Recorder *r = ARENA_NEW(a, Recorder);
    recorder_init(r, in, a, 1, record_log, &out);
    r->inputs.slots[SLOT_POINT] = &x;
    for (int walk = 0; walk < 2; walk++) {
        r->walk = walk;
        recorder_run(r, 1, 0);
        ck_assert(isnan(out));
        Span at;
        const char *what = recorder_first_nonfinite(r, a, &at);
        ck_assert_ptr_nonnull(what);
        ck_assert_ptr_nonnull(strstr(what, "log"));
    }
    arena_free(a);
}
END_TEST

/* -- Draws -- */

static Entry entry(const char *name, int nindex, const Index *index, Value v) {
    Entry e = {.kind = ENTRY_SAMPLE,
               .name = name,
               .nindex = nindex,
               .value = v,
               .log_density = value_none(),
               .log_score = value_none()};
    if (nindex) memcpy(e.index, index, sizeof(Index) * (size_t)nindex);
    return e;
}

START_TEST(draws_grow_with_the_structure) {
    Arena *a = ctx_arena(ctx);
    DrawStore d;
    draws_init(&d, ctx, a, 3);
    for (int draw = 0; draw < 3; draw++) { /* x[1..draw + 1], y in the last only */
        Trace t;
        trace_init(&t, in, false, NULL, NULL);
        Entry list[4];
        for (int k = 0; k <= draw; k++) list[k] = entry("x", 1, &(Index){.at = k + 1}, value_number(10 * draw + k));
        list[draw + 1] = entry("y", 0, NULL, value_number(draw));
        t.entries = list, t.n = draw == 2 ? 4 : draw + 1;
        draws_take(&d, draws_plan(&d, &t, TRACE_LATENT, NULL, a), draw);
    }
    const DrawVariable *x = draws_find(&d, "x"), *y = draws_find(&d, "y");
    ck_assert_int_eq(x->shape.rank, 1);
    ck_assert_int_eq(x->shape.dim[0], 3);
    for (int draw = 0; draw < 3; draw++)
        for (int k = 0; k < 3; k++) {
            double v = x->values[draw * 3 + k];
            if (k <= draw)
                ck_assert_double_eq(v, 10 * draw + k);
            else
                ck_assert(isnan(v));
        }
    ck_assert_int_eq(x->present, 3);
    ck_assert_int_eq(y->present, 1);
    ck_assert(isnan(y->values[0]) && y->values[2] == 2);
    ck_assert_ptr_null(draws_find(&d, "z"));
    arena_free(a);
}
END_TEST

START_TEST(draws_put_axes_where_the_address_says) {
    Arena *a = ctx_arena(ctx);
    const Axis *axis = axis_intern(in, AXIS_PLATE, "i", 2, 2, 10);
    double numbers[4] = {1, 2, 3, 4}; /* axis i, event of 2 */
    Tensor *t = tensor_borrow(a, shape2(2, 2), numbers);
    Value v = value_var(in, var_constant(t), 1, &axis);
    Index index[2] = {{.at = 3}, {.axis = axis}};
    Entry e = entry("z", 2, index, v);
    Trace trace;
    trace_init(&trace, in, false, NULL, NULL);
    trace.entries = &e, trace.n = 1;
    DrawStore d;
    draws_init(&d, ctx, a, 1);
    draws_take(&d, draws_plan(&d, &trace, TRACE_LATENT, NULL, a), 0);
    const DrawVariable *z = draws_find(&d, "z"); /* [3, 3, 2]: z[3, 2..3] */
    ck_assert_int_eq(z->size, 18);
    for (int k = 0; k < 18; k++) {
        if (k >= 14)
            ck_assert_double_eq(z->values[k], k - 13);
        else
            ck_assert(isnan(z->values[k]));
    }
    arena_free(a);
}
END_TEST

/* -- Addresses -- */

START_TEST(values_are_found_however_the_plate_ran) {
    const Axis *axis = axis_intern(in, AXIS_PLATE, "i", 1, 3, 10);
    Trace t;
    trace_init(&t, in, false, NULL, NULL);
    Entry one[3];
    for (int k = 0; k < 3; k++) one[k] = entry("z", 1, &(Index){.at = k + 1}, value_number(k + 5));
    t.entries = one, t.n = 3;
    Array all = value_array(in, trace_value(&t, "z", &(Index){.axis = axis}, 1, SPAN_NONE), SPAN_NONE, "z");
    ck_assert_int_eq(all.naxes, 1);
    for (int k = 0; k < 3; k++) ck_assert_double_eq(tensor_item(all.var.value, k), k + 5);
    Entry whole = entry("z", 1, &(Index){.axis = axis}, value_var(in, all.var, 1, &axis));
    t.entries = &whole, t.n = 1;
    for (int k = 0; k < 3; k++)
        ck_assert_double_eq(
            value_to_number(in, trace_value(&t, "z", &(Index){.at = k + 1}, 1, SPAN_NONE), SPAN_NONE, "z"), k + 5);
    ck_assert_int_eq(trace_value(&t, "z", &(Index){.at = 4}, 1, SPAN_NONE).kind, VALUE_NONE);
    ck_assert_int_eq(trace_value(&t, "y", &(Index){.at = 1}, 1, SPAN_NONE).kind, VALUE_NONE);
}
END_TEST

START_TEST(names_with_dots_nest) {
    const char *names[] = {"a", "b.c", "b.d.e", "f"};
    Value values[4];
    for (int k = 0; k < 4; k++) values[k] = value_number(k);
    Value r = record_nest(in, 4, names, values);
    ck_assert_int_eq(r.u.record->n, 3);
    for (int k = 0; k < 4; k++) ck_assert_double_eq(record_read(r, names[k]).u.number, k);
    ck_assert_int_eq(record_read(r, "b.x").kind, VALUE_NONE);
    ck_assert_int_eq(record_read(r, "a.x").kind, VALUE_NONE);
}
END_TEST

/* One by one the ones would all be lost beside the first; here those of its lane of its block are (lines_reduce.c). */
START_TEST(sums_lose_little) {
    Terms t = {0};
    ck_assert_double_eq(terms_total(&t, in).value->data[0], 0);
    terms_add(&t, in, value_number(1e16), NULL);
    for (int k = 0; k < 1024; k++) terms_add(&t, in, value_number(1), NULL);
    ck_assert_double_eq_tol(terms_total(&t, in).value->data[0], 1e16 + 1024, 34);
}
END_TEST

/* -- Batches -- */

START_TEST(permutations_are_bijections) {
    static const uint64_t sizes[] = {1, 2, 3, 7, 64, 65, 1000, 4097};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint64_t n = sizes[k], moved = 0;
        bool *seen = calloc(n, sizeof *seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t to = permuted(17, n, i);
            ck_assert(to < n && !seen[to]);
            seen[to] = true;
            moved += to != i;
        }
        ck_assert(n < 64 || moved > n / 2);
        free(seen);
    }
}
END_TEST

/* 23 elements from 5 on in batches of 6: three of 6 and one of 5; epochs differ. */
START_TEST(an_epoch_has_every_element_once) {
    const char *names[] = {"i"};
    Value sizes[] = {value_number(6)};
    BatchPlan *b = batch_plan_new(in, in->arena, value_record(in, 1, names, sizes), SPAN_NONE);
    b->plates.list[0].population = 23, b->plates.list[0].first = 5;
    ck_assert_int_eq(batch_epoch(b), 4);
    real first[4];
    for (uint32_t epoch = 0; epoch < 4; epoch++) {
        int seen[28] = {0};
        for (uint32_t k = 1; k <= 4; k++) {
            batch_prepare(b, 4 * epoch + k);
            ck_assert_int_eq(b->plates.list[0].now, k < 4 ? 6 : 5);
            for (int i = 0; i < b->plates.list[0].now; i++) seen[(int)b->elements[i]]++;
            if (k == 1) first[epoch] = b->elements[0] * 100 + b->elements[1];
        }
        for (int i = 0; i < 28; i++) ck_assert_int_eq(seen[i], i >= 5);
    }
    ck_assert(first[0] != first[1] || first[1] != first[2] || first[2] != first[3]);
}
END_TEST

static Suite *suite(void) {
    Suite *s = suite_create("infer");
    TCase *c = tcase_create("parts");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, recordings_are_kept_by_their_guards);
    tcase_add_test(c, walking_gives_the_same_bits);
    tcase_add_test(c, the_first_operation_gone_wrong_is_named);
    tcase_add_test(c, draws_grow_with_the_structure);
    tcase_add_test(c, draws_put_axes_where_the_address_says);
    tcase_add_test(c, values_are_found_however_the_plate_ran);
    tcase_add_test(c, names_with_dots_nest);
    tcase_add_test(c, sums_lose_little);
    tcase_add_test(c, permutations_are_bijections);
    tcase_add_test(c, an_epoch_has_every_element_once);
    suite_add_tcase(s, c);
    return s;
}

int main(void) {
    return suite_run(suite());
}
