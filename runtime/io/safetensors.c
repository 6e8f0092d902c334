/* safetensors: 8 bytes of length, a JSON header, the numbers. https://github.com/huggingface/safetensors (README,
 * Format) */
#include <string.h>

#include "io/json.h"

static const struct Dtype {
    const char *name;
    Element element;
} dtypes[] = {
    {"F64", {ELEMENT_FLOAT, 8, false}},    {"F32", {ELEMENT_FLOAT, 4, false}},    {"I64", {ELEMENT_SIGNED, 8, false}},
    {"I32", {ELEMENT_SIGNED, 4, false}},   {"I16", {ELEMENT_SIGNED, 2, false}},   {"I8", {ELEMENT_SIGNED, 1, false}},
    {"U64", {ELEMENT_UNSIGNED, 8, false}}, {"U32", {ELEMENT_UNSIGNED, 4, false}}, {"U16", {ELEMENT_UNSIGNED, 2, false}},
    {"U8", {ELEMENT_UNSIGNED, 1, false}},  {"BOOL", {ELEMENT_BOOL, 1, false}},
};

/* A whole number from 0 that a size or an offset can be, or -1. */
static int64_t whole(const json_t *j) {
    double x = json_number_value(j);
    return json_is_number(j) && x >= 0 && x <= 0x1p53 && x == (double)(int64_t)x ? (int64_t)x : -1;
}

static Shape header_shape(Reader *r, const char *name, const json_t *sizes) {
    Shape s = {.rank = (int)json_array_size(sizes)};
    if (!json_is_array(sizes) || json_array_size(sizes) > MAX_RANK)
        reader_fail(r, "'%s': its shape is no list of at most %d sizes", name, MAX_RANK);
    for (int k = 0; k < s.rank; k++) {
        s.dim[k] = whole(json_array_get(sizes, (size_t)k));
        if (s.dim[k] < 0) reader_fail(r, "'%s': its shape holds something else than sizes", name);
    }
    return s;
}

static void read_tensor(Reader *r, const char *name, const json_t *entry, const char *numbers, size_t available) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype) reader_fail(r, "'%s': its header has no dtype", name);
    Shape shape = header_shape(r, name, json_object_get(entry, "shape"));
    int64_t from = whole(json_array_get(offsets, 0)), to = whole(json_array_get(offsets, 1));
    if (from < 0 || to < from || (uint64_t)to > available)
        reader_fail(r, "'%s': its data lie outside the file (is it cut short?)", name);
    DataItem *item = &r->data->items[r->data->n++];
    item->name = arena_strdup(r->arena, name);
    const struct Dtype *known = NULL;
    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++)
        if (strcmp(dtype, dtypes[k].name) == 0) known = &dtypes[k];
    if (!known) {
        item->problem = arena_printf(r->arena, "'%s' has numbers of type %s; expected F64, F32, integers or BOOL", name,
                                     reader_quote(r, dtype, strlen(dtype)));
        return;
    }
    reader_check_size(r, known->element, shape, (size_t)(to - from));
    Tensor *t = tensor_new(r->ctx, r->arena, shape);
    elements_decode(known->element, numbers + from, shape_size(shape), t->data);
    item->value = t;
}

void safetensors_read(Reader *r) {
    uint64_t length = 0;
    for (int k = 0; k < 8 && r->n >= 8; k++) length |= (uint64_t)(unsigned char)r->bytes[k] << (8 * k);
    if (r->n < 8 || length > r->n - 8) reader_fail(r, "the file ends within its header");
    json_t *header = json_parse(r, r->bytes + 8, (size_t)length);
    if (!json_is_object(header)) reader_fail(r, "its header is no JSON object");
    r->data->kind = DATA_NAMED;
    r->data->items = ARENA_ARRAY(r->arena, DataItem, json_object_size(header));
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") != 0)
            read_tensor(r, name, entry, r->bytes + 8 + length, r->n - 8 - (size_t)length);
    }
}

void safetensors_write(Writer *w) {
    Buf head = {0};
    int64_t offset = 0;
    buf_add_char(&head, '{');
    for (int k = 0; k < w->n; k++) {
        Shape s = w->items[k].value->shape;
        if (k) buf_add_char(&head, ',');
        buf_add_json_string(&head, w->items[k].name);
        buf_add(&head, ":{\"dtype\":\"F64\",\"shape\":[");
        for (int d = 0; d < s.rank; d++) buf_printf(&head, "%s%lld", d ? "," : "", (long long)s.dim[d]);
        int64_t size = 8 * shape_size(s);
        buf_printf(&head, "],\"data_offsets\":[%lld,%lld]}", (long long)offset, (long long)(offset + size));
        offset += size;
    }
    buf_add_char(&head, '}');
    while (head.length % 8 != 0) buf_add_char(&head, ' ');
    for (int k = 0; k < 8; k++) buf_add_char(w->out, (char)((uint64_t)head.length >> (8 * k)));
    buf_add_bytes(w->out, head.text, head.length);
    buf_free(&head);
    for (int k = 0; k < w->n; k++) doubles_encode(w->items[k].value, w->scratch, w->out);
}
