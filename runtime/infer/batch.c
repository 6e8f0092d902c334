#include "infer/batch.h"

#include <string.h>

#include "infer/recorder.h"

uint64_t permuted(uint64_t key, uint64_t n, uint64_t k) {
    int half = 1;
    while (n > 1 && (n - 1) >> (2 * half)) half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = k >> half, right = k & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (key_fold(key_fold(key, round), right) & mask);
            left = right, right = next;
        }
        k = left << half | right;
    } while (k >= n); /* a bijection of a slightly larger set: walk until inside */
    return k;
}

void batch_seed(BatchPlan *b, uint64_t seed) { b->key = key_fold(seed, hash_string("batch")); }

BatchPlan *batch_plan_new(Interp *in, Arena *arena, Value sizes, Span at) {
    if (sizes.kind != VALUE_RECORD || sizes.u.record->n == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "for example batch = {i: 256}",
                  "`batch` is a record of plates and sizes; this is %s", value_describe(in, sizes));
    BatchPlan *b = ARENA_NEW(arena, BatchPlan);
    b->plates = (Batches){
        .list = ARENA_ARRAY(arena, PlateBatch, sizes.u.record->n), .n = sizes.u.record->n, .slot = SLOT_BATCH};
    int64_t total = 0;
    for (int k = 0; k < b->plates.n; k++) {
        int64_t n = value_to_int(in, sizes.u.record->values[k], at, "the size of a batch");
        if (n < 1)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a batch of `%s` must have at least 1 element, not %ld",
                      sizes.u.record->names[k], (long)n);
        b->plates.list[k] = (PlateBatch){
            .plate = arena_strdup(arena, sizes.u.record->names[k]), .size = n, .now = n, .first = 1, .offset = total};
        total += n;
    }
    b->elements = tensor_new(in->ctx, arena, shape1(total))->data;
    return b;
}

BatchPlan *batch_plan_in_order(Interp *in, Arena *arena, const char *plate, int64_t size) {
    BatchPlan *b = ARENA_NEW(arena, BatchPlan);
    PlateBatch one = {.plate = plate, .size = size, .now = size, .first = 1};
    *b = (BatchPlan){.in_order = true, .elements = tensor_new(in->ctx, arena, shape1(size))->data};
    b->plates = (Batches){.list = arena_copy(arena, &one, sizeof one), .n = 1, .slot = SLOT_BATCH};
    return b;
}

uint64_t batch_prepare(BatchPlan *b, uint32_t step) {
    uint64_t shape = 1,
             at = step & 0xFFFFFF; /* steps of training count from 1; retries and estimates use the high bits */
    for (int k = 0; k < b->plates.n; k++) {
        PlateBatch *p = &b->plates.list[k];
        int64_t n = p->population > p->size ? p->population : p->size, batches = (n + p->size - 1) / p->size;
        uint64_t turn = b->in_order ? b->turn : at ? at - 1 : 0, epoch = turn / (uint64_t)batches,
                 start = turn % (uint64_t)batches * (uint64_t)p->size;
        uint64_t key = key_fold(key_fold(b->key, (uint64_t)k), key_fold(epoch, step >> 24));
        p->now = n - (int64_t)start < p->size ? n - (int64_t)start : p->size;
        for (int64_t i = 0; i < p->now; i++)
            b->elements[p->offset + i] =
                (real)(p->first + (int64_t)(b->in_order ? start + (uint64_t)i
                                                        : permuted(key, (uint64_t)n, start + (uint64_t)i)));
        shape = key_fold(shape, (uint64_t)p->now);
    }
    return shape;
}

long batch_epoch(const BatchPlan *b) {
    const PlateBatch *p = &b->plates.list[0];
    return p->population > p->size ? (long)((p->population + p->size - 1) / p->size) : 0;
}
