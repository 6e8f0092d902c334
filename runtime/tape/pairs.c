/* An elementwise step that only one other step reads, an elementwise one or a sum, is computed on its way: one loop instead
 * of two, and nothing between them in memory. The steps stay two, the second `takes` the first. */
#include "tape/plan.h"

/* Shorter lines have quicker instructions (code.h). */
enum { LEAST = 9 };

static const Tensor *tensor_of(const Plan *p, int v) { return p->values[v].tensor; }

Step *step_taken(const Plan *p, const Step *s) {
    return s->takes ? &p->steps[p->values[s->in[s->takes - 1]].step] : NULL;
}

static int operands_with(const Step *inner, const Step *s, int at, int *values) {
    values[0] = inner->in[0];
    values[1] = inner->in[inner->n - 1];
    if (s->op == OP_SUM) return 2;
    values[2] = s->in[1 - at];
    return 3;
}

int step_operands(const Plan *p, const Step *s, int *values) {
    if (s->takes) return operands_with(step_taken(p, s), s, s->takes - 1, values);
    for (int k = 0; k < s->n && k < EW_MAX; k++) values[k] = s->in[k];
    return s->n;
}

RowFn *step_pair_row(const Plan *p, const Step *s, const int64_t *stride) {
    return lines_here()->pair_choose(s->op, s->takes - 1, step_taken(p, s)->op, stride);
}

/* All of two equally long arrays, element by element. */
static bool is_sum_of_products(const Plan *p, const Step *inner, const Step *s, const int *values) {
    const Tensor *product = tensor_of(p, inner->out);
    if (inner->op != OP_MUL && inner->op != OP_SQUARE) return false;
    for (int k = 0; k < 2; k++)
        if (!shape_equal(tensor_of(p, values[k])->shape, product->shape) || !tensor_is_dense(tensor_of(p, values[k])))
            return false;
    return shape_size(tensor_of(p, s->out)->shape) == 1;
}

static bool has_row(const Plan *p, const Step *inner, const Step *s, int at, const int *values) {
    const Tensor *in[EW_MAX];
    int64_t stride[EW_MAX];
    EwLoop loop;
    for (int k = 0; k < EW_MAX; k++) in[k] = tensor_of(p, values[k]);
    ew_prepare(&loop, s->op, tensor_of(p, s->out), EW_MAX, in);
    for (int k = 0; k < EW_MAX; k++) stride[k] = loop.stride[k][loop.rank - 1];
    return loop.dim[loop.rank - 1] >= LEAST && lines_here()->pair_choose(s->op, at, inner->op, stride);
}

/* May step s take operand k? */
static bool can_take(const Plan *p, const Step *s, int k, const int *readers) {
    int v = s->in[k], values[EW_MAX];
    const Value *value = &p->values[v];
    if (value->base != v || value->home != HOME_BUFFER || value->last == PLAN_FOREVER || value->step < 0) return false;
    const Step *inner = &p->steps[value->step];
    if (readers[v] != 1 || inner->takes || inner->taken || op_class(inner->op) != CLASS_EW) return false;
    if (inner->n > 2 || shape_size(value->tensor->shape) < LEAST) return false;
    operands_with(inner, s, k, values);
    if (s->op == OP_SUM) return is_sum_of_products(p, inner, s, values);
    return shape_equal(value->tensor->shape, tensor_of(p, s->out)->shape) && has_row(p, inner, s, k, values);
}

static void take(Plan *p, Step *s, const int *readers) {
    for (int k = 0; k < s->n && !s->takes; k++) {
        if (!can_take(p, s, k, readers)) continue;
        s->takes = k + 1;
        step_taken(p, s)->taken = true;
        p->values[s->in[k]].home = HOME_BLOCK;
    }
}

/* Sums first: what they take they need not read again. */
void plan_pairs(Plan *p, Arena *scratch) {
    int *readers = ARENA_ARRAY(scratch, int, p->nvalues);
    for (int s = 0; s < p->nsteps; s++)
        for (int k = 0; k < p->steps[s].n; k++) readers[p->values[p->steps[s].in[k]].base]++;
    for (int s = 0; s < p->nsteps; s++)
        if (p->steps[s].op == OP_SUM) take(p, &p->steps[s], readers);
    for (int s = 0; s < p->nsteps; s++) {
        Step *step = &p->steps[s];
        if (step->n == 2 && !step->taken && op_class(step->op) == CLASS_EW) take(p, step, readers);
    }
}
