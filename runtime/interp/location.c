/* error(site) of `refine`: how far off the location of a distribution is, on the scale of its own precision. */
#include <math.h>
#include <string.h>

#include "interp/array.h"
#include "interp/internal.h"

static int location_of(const Dist *d) {
    for (int k = 0; k < d->family->decl->nparams; k++) {
        const char *name = d->family->decl->params[k].name;
        if (strcmp(name, "loc") != 0 && strcmp(name, "logits") != 0) continue;
        if (d->params[k].kind != VALUE_NONE && !param_is_unset(d->params[k])) return k;
    }
    return -1;
}

/* One for each element of x, though it was written once for many: with the event shape of x (what belongs together in
 * one draw has the parameter's own) and all axes of x and of the parameters. */
static Array spread(Interp *in, const Dist *d, int which, Value x, Span at) {
    const Axis *axes[MAX_AXES];
    int naxes = 0;
    for (int k = -1; k < d->family->decl->nparams; k++) {
        Value v = k < 0 ? x : d->params[k];
        if (v.kind != VALUE_ARRAY) continue;
        naxes =
            axes_union(in, naxes, arena_copy(in->arena, axes, sizeof axes), v.u.array->naxes, v.u.array->axes, axes);
    }
    Array a = value_array(in, d->params[which], at, "a parameter"), xs = value_array(in, x, at, "a value");
    Shape own = array_shape(&a), target = array_shape(&xs);
    int rank = type_rank(d->family->decl->params[which].type);
    target.rank -= type_rank(d->family->decl->support);
    for (int k = 0; k < rank; k++) target.dim[target.rank++] = own.dim[own.rank - rank + k];
    Value whole = array_like(in, &a, array_expand_event(in, &a, target));
    return value_array(in, array_expand_axes(in, whole, naxes, axes), at, "a parameter");
}

Value dist_location_error(Interp *in, const Dist *d, Value x, Span at) {
    int which = location_of(d);
    if (which < 0) return value_none();
    bool missing = x.kind == VALUE_ARRAY && x.u.array->missing;
    Value mask = value_none(), known = x;
    if (missing && !fill_missing(in, x, &known, &mask, at)) known = array_apply(in, OP_WHERE, 3, (Value[]){mask, value_number(0), x}, at);
    if (missing && known.kind == VALUE_ARRAY) known.u.array->missing = false;
    x = value_detached(in, known);
    Dist *open = dist_detach(in, d);
    open->repeat = SHAPE_SCALAR;
    open->drawn = open->drawn_density = value_none();
    Array a = spread(in, open, which, x, at);
    a.var = var_is_taped(a.var) ? op1(in->tape, OP_STOP_GRADIENT, a.var) : tape_variable(in->tape, a.var);
    open->params[which] = (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &a, sizeof a)};
    Array lp = value_array(in, dist_logpdf(in, open, x, false, at), at, "a log density");
    Array error = a;
    tape_grad(in->tape, op_sum_all(in->tape, lp.var), NULL, 1, &a.var, &error.var);
    error.var = op_stop_gradient(in->tape, error.var);
    Value v = (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &error, sizeof error)};
    if (!missing) return v;
    Value args[3] = {mask, value_number(0), v};
    return array_apply(in, OP_WHERE, 3, args, at);
}
