#include "infer/site_family.h"

#include <string.h>

void site_family_add(SiteFamily *f, const Entry *e) {
    int64_t elements = 1;
    bool begins = !f->first;
    if (begins) f->first = e;
    for (int k = 0; k < e->nindex; k++) {
        const Axis *axis = e->index[k].axis;
        int64_t low = axis ? axis->first : e->index[k].at, high = axis ? axis->first + axis->size - 1 : low;
        if (axis) elements *= axis->size;
        if (begins || low < f->index[k].low) f->index[k].low = low;
        if (begins || high > f->index[k].high) f->index[k].high = high;
    }
    f->elements += elements;
}

const char *site_family_text(const SiteFamily *f, Arena *a) {
    const Entry *e = f->first;
    const char *text = e->name;
    for (int k = 0; k < e->nindex; k++) {
        const Axis *axis = e->index[k].axis;
        const char *dot = axis ? strrchr(axis->name, '.') : NULL, *begin = k ? ", " : "[";
        long low = (long)f->index[k].low, high = (long)f->index[k].high;
        if (axis && axis->kind == AXIS_PLATE)
            text = arena_printf(a, "%s%s%s", text, begin, dot ? dot + 1 : axis->name);
        else if (low == high)
            text = arena_printf(a, "%s%s%ld", text, begin, low);
        else
            text = arena_printf(a, "%s%s%ld..%ld", text, begin, low, high);
    }
    return e->nindex ? arena_printf(a, "%s]", text) : text;
}
