/* IDX, the format of MNIST: two zero bytes, a type, the rank, then big-endian sizes and numbers. */
#include "io/formats.h"

static const Element idx_elements[] = {
    [0x08] = {ELEMENT_UNSIGNED, 1, true}, [0x09] = {ELEMENT_SIGNED, 1, true}, [0x0B] = {ELEMENT_SIGNED, 2, true},
    [0x0C] = {ELEMENT_SIGNED, 4, true},   [0x0D] = {ELEMENT_FLOAT, 4, true},  [0x0E] = {ELEMENT_FLOAT, 8, true},
};

void idx_read(Reader *r) {
    const unsigned char *p = (const unsigned char *)r->bytes;
    if (r->n < 4 || p[0] != 0 || p[1] != 0) reader_fail(r, "not an IDX file: it does not begin with two zero bytes");
    Element e = p[2] < sizeof idx_elements / sizeof *idx_elements ? idx_elements[p[2]] : (Element){0};
    if (e.size == 0) reader_fail(r, "not an IDX file: 0x%02x is not one of its types of numbers", p[2]);
    Shape shape = {.rank = p[3]};
    if (shape.rank > MAX_RANK) reader_fail(r, "it has %d dimensions, at most %d are possible", shape.rank, MAX_RANK);
    size_t head = 4 + 4 * (size_t)shape.rank;
    if (r->n < head) reader_fail(r, "the file ends within its header");
    for (int k = 0; k < shape.rank; k++) {
        const unsigned char *d = p + 4 + 4 * k;
        shape.dim[k] = (int64_t)d[0] << 24 | d[1] << 16 | d[2] << 8 | d[3];
    }
    reader_check_size(r, e, shape, r->n - head);
    reader_give_array(r, reader_tensor(r, e, shape, r->bytes + head), false);
}
