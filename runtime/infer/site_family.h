/* All sites of one name: which elements they are, as one text. */
#ifndef INFER_SITE_FAMILY_H
#define INFER_SITE_FAMILY_H

#include "infer/handlers.h"

typedef struct SiteFamily {
    const Entry *first; /* NULL: none yet */
    int64_t elements;
    struct {
        int64_t low, high;
    } index[MAX_INDEX];
} SiteFamily;

void site_family_add(SiteFamily *f, const Entry *e);
/* "alive[i, 1..7]": a plate by its name, steps of loops by their range. */
const char *site_family_text(const SiteFamily *f, Arena *a);

#endif
