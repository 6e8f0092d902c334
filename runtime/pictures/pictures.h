/* Pictures: what `plot(...)`, `show_images(...)` and their like do, on the terminal or into files. */
#ifndef PICTURES_PICTURES_H
#define PICTURES_PICTURES_H

#include "interp/interp.h"

extern const Builtin *const picture_builtins[]; /* tables; ends with NULL */

/* What plot(fit, file) does; the name of the file ends in .png or .svg. Raises as plot does. */
void picture_fit(Interp *in, Value fit, const char *file);

/* -- For the functions that draw -- */
extern const Builtin builtins_plot[], builtins_pairs[], builtins_predictive[], builtins_images[];

/* Where a picture goes, by arguments of the language. */
typedef struct PicturePlace {
    const char *file; /* NULL: the terminal */
    Span at;          /* of the file's name */
    int width;        /* characters of a line, at least PICTURE_NARROWEST */
    bool ascii;
} PicturePlace;
enum { PICTURE_NARROWEST = 20 };
/* What the help of a function says of its arguments for the terminal. */
#define PICTURE_TERMINAL                                                                                               \
    "; in the terminal, width: characters of a line, its own by default; ascii = true: plain characters, no blocks"

/* `file`, `width`, `ascii`: the places of these arguments. `endings` says which files there are: ".png", ".png or
 * .svg". */
PicturePlace picture_place(Interp *in, const Args *args, int file, int width, int ascii, const char *endings);
/* In a copy of the arguments a text at place k that is the last one given by position is the file's name: plot(x,
 * "x.png"). */
Args picture_file_last(Interp *in, const Args *args, int first, int file);
/* An argument as it stands in the program, for a label; NULL where that says nothing (numbers, long expressions). */
const char *picture_label(Interp *in, const Args *args, int k);
void picture_print(Interp *in, const Buf *text); /* on the terminal; the text is without its last line end */

#endif
