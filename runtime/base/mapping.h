/* Files as memory: their pages come when they are touched and go when others are needed, so that arrays may be larger
 * than the memory of the machine.
 */
#ifndef BASE_MAPPING_H
#define BASE_MAPPING_H

#include "base/ctx.h"

typedef struct Mapping {
    char *bytes;
    size_t length;
    /* private to mapping.c */
    Ctx *ctx;
    size_t reserved;
    struct Mapping *next, **link;
} Mapping;

enum { MAPPING_WORTH = 64 << 20 }; /* bytes: less is simply read */

/* The file's bytes, to read; bytes[length] is 0. Nobody may shorten the file meanwhile. NULL: it cannot be mapped. */
Mapping *mapping_of_file(Ctx *c, int fd, size_t length);
/* So much room, zeroed, to write and to read, in a file without a name in $TMPDIR (else /var/tmp). Raises at c->span
 * when there is no room. */
Mapping *mapping_spill(Ctx *c, size_t length);
/* Pages will be touched here and there: none beside them need come. */
void mapping_is_random(Mapping *m);
void mapping_release(Mapping *m);

/* Let go of pages where many are held (more than half of `ulimit -m`, or a quarter of the machine); they come again
 * when they are touched. Cheap where nothing is mapped. */
void mappings_trim(Ctx *c);

#endif
