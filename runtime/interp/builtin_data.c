/* Reading and writing data files. */
#include <string.h>

#include "interp/builtins.h"
#include "io/data.h"

static Value from_tensor(Interp *in, const Tensor *t, bool missing) {
    Array a = array_of_var(var_constant(t));
    a.missing = missing;
    return array_value(in, a);
}

/* One nameless array gives the array; a table or named arrays a record. Columns that cannot be arrays (words) are left
 * out. */
static Value call_read(Interp *in, const Args *args) {
    const char *path = value_to_string(in, args->values[0], arg_span(args, 0), "the file to read");
    Data *d = data_read(in->ctx, in->arena, path, arg_span(args, 0));
    if (d->kind == DATA_ARRAY) {
        const Tensor *t = data_value(in->ctx, d, &d->items[0], arg_span(args, 0));
        return from_tensor(in, t, d->items[0].has_missing);
    }
    const char **names = ARENA_ARRAY(in->arena, const char *, d->n + 1);
    Value *values = ARENA_ARRAY(in->arena, Value, d->n + 1);
    int n = 0;
    for (int k = 0; k < d->n; k++) {
        if (!d->items[k].value) {
            ctx_warn(in->ctx, WARNING_LEFT_OUT, arg_span(args, 0), NULL, "%s is left out: %s", d->items[k].name, d->items[k].problem);
            continue;
        }
        names[n] = d->items[k].name;
        values[n++] = from_tensor(in, d->items[k].value, d->items[k].has_missing);
    }
    if (n == 0) builtin_fail(in, args, 0, "nothing in '%s' is numeric", path);
    return value_record(in, n, names, values);
}

static DataItem item_of(Interp *in, const Args *args, const char *name, Value v) {
    Array a = value_array(in, v, arg_span(args, 1),
                          arena_printf(in->arena, *name ? "the field `%s`" : "what is written%s", name));
    return (DataItem){.name = name, .value = tensor_dense(in->ctx, in->arena, a.var.value), .has_missing = a.missing};
}

/* What an object of the layers above has to write: the record that its field `draws` gives (a fit's posterior draws).
 */
static Value draws_of(Interp *in, const Args *args, const Object *o) {
    Value v = o->type->get ? o->type->get(in, o->data, "draws") : value_none();
    if (v.kind != VALUE_RECORD)
        ctx_raise(in->ctx, ERROR_PROGRAM, arg_span(args, 1), "a fit, an array or a record of arrays can be written",
                  "the %s has no draws that could be written", o->type->name);
    return v;
}

static Value call_write(Interp *in, const Args *args) {
    const char *path = value_to_string(in, args->values[0], arg_span(args, 0), "the file to write");
    Value v = args->values[1];
    if (v.kind == VALUE_OBJECT) v = draws_of(in, args, v.u.object);
    int n = v.kind == VALUE_RECORD ? v.u.record->n : 1;
    if (n == 0) builtin_fail(in, args, 1, "an empty record has nothing to write");
    DataItem *items = ARENA_ARRAY(in->arena, DataItem, n);
    size_t length = strlen(path);
    bool named = length > 4 && strcmp(path + length - 4, ".npy") != 0;
    if (v.kind == VALUE_RECORD)
        for (int k = 0; k < n; k++) items[k] = item_of(in, args, v.u.record->names[k], v.u.record->values[k]);
    else
        items[0] = item_of(in, args, named ? "value" : "", v);
    data_write(in->ctx, path, items, n, arg_span(args, 0));
    return value_nothing();
}

const Builtin builtins_data[] = {
    {"read", "(path)", call_read,
     "a data file: .npy and .idx give an array; .csv, .json and .safetensors a record of arrays", 0},
    {"write", "(path, value)", call_write,
     "write an array, a record of arrays or the draws of a fit to a .csv, .json, .npy or .safetensors file", 0},
    {0},
};
