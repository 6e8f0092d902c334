/* The loops of normals.c, compiled for each instruction set (base/isa.h). */
#ifndef BASE_NORMALS_H
#define BASE_NORMALS_H

#include "base/random.h"

typedef struct NormalLines {
    /* The places of n more numbers, and of any others up to a whole group of lanes. */
    void (*places)(Normals *b, int n, const Stream *s, NormalsAlong along);
    void (*box_muller)(const Normals *b, int n, double *restrict out);
} NormalLines;

#endif
