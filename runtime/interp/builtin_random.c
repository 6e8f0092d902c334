/* Random order and random picks. They are numbered within a statement, as bare draws are. */
#include "base/strings.h"
#include "interp/builtins.h"

static Stream next_stream(Interp *in, const char *what) {
    uint64_t key = key_fold(key_fold(in->ctx->seed, hash_string(what)), in->draw_count++);
    return stream_at(key, 0, in->tape->particle, in->tape->step);
}

/* 1..n in random order (Fisher and Yates; Knuth, TAOCP 2, 3.4.2 P). */
static Tensor *random_order(Interp *in, int64_t n, const char *what) {
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(n));
    Stream s = next_stream(in, what);
    for (int64_t k = 0; k < n; k++) t->data[k] = (real)(k + 1);
    for (int64_t k = n - 1; k > 0; k--) {
        int64_t j = (int64_t)(stream_uniform(&s) * (double)(k + 1));
        real x = t->data[k];
        t->data[k] = t->data[j];
        t->data[j] = x;
    }
    return t;
}

static Value call_permutation(Interp *in, const Args *args) {
    int64_t n = arg_int(in, args, 0, 0, "the length of a permutation");
    if (n < 0) builtin_fail(in, args, 0, "a length must not be negative: %lld", (long long)n);
    return value_tensor(in, random_order(in, n, "permutation"));
}

static Value call_shuffle(Interp *in, const Args *args) {
    Value x = args->values[0];
    if (x.kind != VALUE_LIST && x.kind != VALUE_TUPLE && value_event_shape(in, x, arg_span(args, 0)).rank == 0)
        builtin_fail(in, args, 0, "an array or a list is needed here, not %s", value_describe(in, x));
    int64_t n = x.kind == VALUE_TUPLE ? x.u.list->n : value_event_shape(in, x, arg_span(args, 0)).dim[0];
    Value order = value_tensor(in, random_order(in, n, "shuffle"));
    return array_index(in, x, 1, &order, NULL, args->span);
}

const Builtin builtins_random[] = {
    {"permutation", "(n)", call_permutation, "1..n in random order", 0},
    {"shuffle", "(x)", call_shuffle, "the elements (rows) of x in random order", 0},
    {0},
};
