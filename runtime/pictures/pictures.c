#include "pictures/pictures.h"

#include <string.h>

#include "interp/builtins.h"

const Builtin *const picture_builtins[] = {builtins_plot, builtins_images, NULL};

/* Whether the name of a file has one of these endings, divided by blanks. */
static bool ends_in(const char *name, const char *endings) {
    size_t length = strlen(name);
    for (const char *e = endings; *e; e += strspn(e, " ")) {
        size_t n = strcspn(e, " ");
        if (length > n && strncmp(name + length - n, e, n) == 0) return true;
        e += n;
    }
    return false;
}

PicturePlace picture_place(Interp *in, const Args *args, int file, int width, int ascii, const char *endings) {
    PicturePlace p = {.at = arg_span(args, file), .ascii = arg_bool(in, args, ascii, false, "`ascii`")};
    int64_t columns = arg_int(in, args, width, in->width > 0 ? in->width : 80, "`width`");
    if (columns < PICTURE_NARROWEST || columns > 1000)
        builtin_fail(in, args, width, "`width` is a number of characters from %d to 1000, not %lld", PICTURE_NARROWEST, (long long)columns);
    p.width = (int)columns;
    if (!arg_given(args, file)) return p;
    p.file = value_to_string(in, args->values[file], p.at, "the file of a picture");
    if (!ends_in(p.file, endings))
        builtin_fail(in, args, file, "the file of a picture ends in %s, not '%s'", endings, p.file);
    return p;
}

Args picture_file_last(Interp *in, const Args *args, int first, int file) {
    Args copy = *args;
    if (arg_given(args, file)) return copy;
    Value *values = ARENA_ARRAY(in->arena, Value, args->n);
    Span *spans = ARENA_ARRAY(in->arena, Span, args->n);
    memcpy(values, args->values, sizeof *values * (size_t)args->n);
    for (int k = 0; k < args->n; k++) spans[k] = arg_span(args, k);
    copy.values = values, copy.spans = spans;
    for (int k = first; k < file; k++) {
        if (values[k].kind != VALUE_STRING) continue;
        values[file] = values[k], spans[file] = spans[k];
        values[k] = value_none(), spans[k] = args->span;
        break;
    }
    return copy;
}

void picture_print(Interp *in, const Buf *text) {
    if (in->hooks.print && text->text) in->hooks.print(in->hooks.self, text->text);
}
