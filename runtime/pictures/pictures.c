#include "pictures/pictures.h"

#include <string.h>

#include "interp/builtins.h"

const Builtin *const picture_builtins[] = {builtins_plot, builtins_pairs, builtins_predictive, builtins_images, NULL};

/* Whether the name of a file has one of these endings: ".png or .svg". */
static bool ends_in(const char *name, const char *endings) {
    size_t length = strlen(name);
    for (const char *e = endings; (e = strchr(e, '.')); e++) {
        size_t n = strcspn(e, " ");
        if (length > n && strncmp(name + length - n, e, n) == 0) return true;
    }
    return false;
}

PicturePlace picture_place(Interp *in, const Args *args, int file, int width, int ascii, const char *endings) {
    PicturePlace p = {.at = arg_span(args, file), .ascii = arg_bool(in, args, ascii, false, "`ascii`")};
    int64_t columns = arg_int(in, args, width, in->width > 0 ? in->width : 80, "`width`");
    if (columns < PICTURE_NARROWEST || columns > 1000)
        builtin_fail(in, args, width, "`width` is a number of characters from %d to 1000, not %lld", PICTURE_NARROWEST,
                     (long long)columns);
    p.width = (int)columns;
    if (!arg_given(args, file)) return p;
    if (arg_given(args, width) || arg_given(args, ascii))
        builtin_fail(in, args, arg_given(args, width) ? width : ascii,
                     "`width` and `ascii` are for pictures in the terminal, not in a file");
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

/* Where a column (from 1, in characters) begins. */
static const char *at_column(const char *line, int column) {
    for (; column > 1 && *line && *line != '\n'; column--)
        for (line++; (*line & 0xC0) == 0x80; line++) {
        }
    return line;
}

const char *picture_label(Interp *in, const Args *args, int k) {
    enum { LONGEST = 40 };
    Span s = arg_span(args, k);
    if (s.file < 0 || s.file >= in->ctx->nsources || s.line != s.end_line || s.end_column - s.column > LONGEST)
        return NULL;
    const char *line = in->ctx->sources[s.file].text;
    for (int n = s.line; n > 1 && line; n--) line = (line = strchr(line, '\n')) ? line + 1 : NULL;
    if (!line) return NULL;
    const char *first = at_column(line, s.column), *end = at_column(line, s.end_column);
    if (first == end || strchr("[{(0123456789-.", *first)) return NULL;
    return arena_printf(in->arena, "%.*s", (int)(end - first), first);
}

void picture_print(Interp *in, const Buf *text) {
    if (in->hooks.print && text->text) in->hooks.print(in->hooks.self, text->text);
}
