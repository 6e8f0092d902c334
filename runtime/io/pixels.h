/* Pictures of pixels as PNG files. */
#ifndef IO_PIXELS_H
#define IO_PIXELS_H

#include "base/ctx.h"

enum { PIXELS_MOST = 32767 }; /* width and height */

typedef struct Pixels {
    int width, height;    /* 1 to PIXELS_MOST */
    int channels;         /* 1: grey; 3: red, green, blue */
    unsigned char *bytes; /* [height, width, channels], sRGB */
} Pixels;

/* Replaces the file as file_write does; raises ERROR_PROGRAM at `at`, with the file's name. Scratch memory is taken
 * from `a`. */
void pixels_write(Ctx *c, Arena *a, const char *path, const Pixels *p, Span at);

#endif
