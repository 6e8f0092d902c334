/* How bench.py talks to a program that it times. A line "check" is answered by a line of numbers, what one call
 * computes; a line "time S" by the seconds of one call, the mean over about S seconds. End of input ends the program. */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Timed {
    void (*call)(void *self);
    void *self;
    const double *results; /* after a call */
    long nresults;
} Timed;

static inline double protocol_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double protocol_time(const Timed *t, double seconds) {
    double start = protocol_seconds(), now = start;
    long calls = 0, chunk = 1;
    while (now - start < seconds) {
        for (long k = 0; k < chunk; k++) t->call(t->self);
        calls += chunk;
        now = protocol_seconds();
        if (now - start < seconds / 8) chunk *= 2; /* so that reading the clock costs nothing */
    }
    return (now - start) / (double)calls;
}

static inline void protocol_serve(const Timed *t) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "time ", 5) == 0) {
            printf("%.9g\n", protocol_time(t, strtod(line + 5, NULL)));
        } else {
            t->call(t->self);
            for (long k = 0; k < t->nresults; k++) printf("%s%.17g", k ? " " : "", t->results[k]);
            putchar('\n');
        }
        fflush(stdout);
    }
}

/* A file of doubles in `malloc`ed memory; exits when it cannot be read. */
static inline double *protocol_read(const char *path, long *n) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    long count = ftell(f) / (long)sizeof(double);
    rewind(f);
    double *x = (double *)malloc(sizeof *x * (size_t)(count + 1));
    if (!x || fread(x, sizeof *x, (size_t)count, f) != (size_t)count) exit(2);
    fclose(f);
    if (n) *n = count;
    return x;
}

#endif
