/* What went wrong: through which operation of a program what is not finite came. */
#include "tape/program.h"

#include <math.h>

#include "tape/program_open.h"

/* The first element that is not finite; the number of elements: all are. */
static int64_t first_nonfinite(const Tensor *t) {
    int64_t i = 0, n = shape_size(t->shape);
    while (i < n && isfinite(tensor_item(t, i))) i++;
    return i;
}

static bool is_finite(const Tensor *t) { return first_nonfinite(t) == shape_size(t->shape); }

static const Tensor *value_tensor(const Program *p, int v) { return program_plan(p)->values[v].tensor; }

/* Operand k of an elementwise step as it meets the output's elements. */
static const Tensor *operand_spread(const Program *p, Arena *a, const Step *s, int k) {
    return tensor_view_expand(a, value_tensor(p, s->in[k]), value_tensor(p, s->out)->shape);
}

/* Is operand k of a step that has run not finite where that matters? WHERE takes only what it chose. */
static bool operand_matters(const Program *p, Arena *a, const Step *s, int k) {
    if (s->op != OP_WHERE || k == 0) return !is_finite(value_tensor(p, s->in[k]));
    const Tensor *condition = operand_spread(p, a, s, 0), *x = operand_spread(p, a, s, k);
    for (int64_t i = 0, n = shape_size(x->shape); i < n; i++)
        if ((tensor_item(condition, i) != 0) == (k == 1) && !isfinite(tensor_item(x, i))) return true;
    return false;
}

/* The steps that have run, and whether what they gave, and took, was finite. */
typedef struct Search {
    Program *p;
    Arena *a;
    int ran;
    bool *bad, **blamed;
} Search;

static bool note_step(void *self, int step) {
    Search *search = self;
    const Program *p = search->p;
    const Step *s = &program_plan(p)->steps[step];
    search->ran = step + 1;
    search->bad[step] = s->out >= 0 && !is_finite(value_tensor(p, s->out));
    if (!search->bad[step]) return true;
    search->blamed[step] = ARENA_ARRAY(search->a, bool, s->n);
    for (int k = 0; k < s->n; k++) search->blamed[step][k] = operand_matters(p, search->a, s, k);
    return true;
}

/* Marks, from the outputs back, the steps through which what is not finite came; gives the first recorded. Steps are run
 * again one by one, because the buffer holds each result only for a while. */
static int find_culprit(Program *p, Arena *a) {
    const Plan *plan = program_plan(p);
    int n = plan->nsteps;
    Search search = {.p = p, .a = a, .bad = ARENA_ARRAY(a, bool, n), .blamed = ARENA_ARRAY(a, bool *, n)};
    program_run_openly(p, note_step, &search);
    bool *marked = ARENA_ARRAY(a, bool, n);
    for (int k = 0; k < plan->noutputs; k++) {
        int step = plan->values[plan->values[plan->outputs[k]].base].step;
        if (step >= 0 && step < search.ran) marked[step] = search.bad[step];
    }
    int first = -1;
    for (int s = search.ran - 1; s >= 0; s--) {
        if (!marked[s]) continue;
        if (first < 0 || plan->steps[s].rank < plan->steps[first].rank) first = s;
        for (int k = 0; k < plan->steps[s].n; k++) {
            int from = plan->values[plan->values[plan->steps[s].in[k]].base].step;
            if (search.blamed[s][k] && from >= 0 && search.bad[from]) marked[from] = true;
        }
    }
    return first;
}

/* Never "-nan". */
static const char *number_text(Arena *a, real x) { return x != x ? "nan" : arena_printf(a, "%.6g", x); }

static const char *describe_elementwise(const Program *p, Arena *a, const Step *s) {
    const Tensor *out = value_tensor(p, s->out);
    int64_t i = first_nonfinite(out);
    char *text = arena_printf(a, "%s of", op_info(s->op)->name);
    for (int k = 0; k < s->n; k++)
        text = arena_printf(a, "%s%s %s", text,
                            k == 0         ? ""
                            : k + 1 < s->n ? ","
                                           : " and",
                            number_text(a, tensor_item(operand_spread(p, a, s, k), i)));
    text = arena_printf(a, "%s gives %s", text, number_text(a, tensor_item(out, i)));
    return shape_size(out->shape) == 1
               ? text
               : arena_printf(a, "%s (element %lld of %s)", text, (long long)i + 1, shape_text(a, out->shape));
}

static const char *describe_array(const Program *p, Arena *a, const Step *s) {
    const Tensor *out = value_tensor(p, s->out);
    char *text = arena_printf(a, "%s", op_info(s->op)->name);
    for (int k = 0; k < s->n; k++)
        text = arena_printf(a, "%s%s %s array of shape %s", text, k == 0 ? " of" : " and",
                            is_finite(value_tensor(p, s->in[k])) ? "a finite" : "a non-finite",
                            shape_text(a, value_tensor(p, s->in[k])->shape));
    return arena_printf(a, "%s gives %s", text, number_text(a, tensor_item(out, first_nonfinite(out))));
}

typedef struct Description {
    const Program *p;
    Arena *a;
    int culprit;
    const char *text;
} Description;

static bool describe_step(void *self, int step) {
    Description *d = self;
    const Step *s = &program_plan(d->p)->steps[step];
    if (step == d->culprit)
        d->text = op_class(s->op) == CLASS_EW ? describe_elementwise(d->p, d->a, s) : describe_array(d->p, d->a, s);
    return true;
}

const char *program_first_nonfinite(Program *p, Arena *a, Span *at) {
    int culprit = find_culprit(p, a);
    if (culprit < 0) return NULL;
    Description d = {p, a, culprit, NULL};
    program_run_openly(p, describe_step, &d);
    *at = program_plan(p)->steps[culprit].span;
    return d.text;
}
