/* First-order optimizers on flat vectors, learning-rate schedules, gradient clipping.
 *
 * An optimizer is a constant record: its name, its options with their defaults, how many numbers of state it needs for
 * n parameters, and its update. State is the caller's memory, zeroed before the first update. Updates *descend*: pass
 * the gradient of what is to become small.
 */
#ifndef INFER_OPTIMIZER_H
#define INFER_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/team.h"
#include "tensor/tensor.h"

enum { MAX_OPTIONS = 8 };

typedef struct NumberOption {
    const char *name;
    double value;     /* the default */
    double low, high; /* allowed: low <= value <= high */
    const char *help;
} NumberOption;

typedef struct Optimizer Optimizer;
struct Optimizer {
    const char *name;
    const char *help;
    int noptions;
    NumberOption options[MAX_OPTIONS]; /* options[0] is the learning rate "lr" */
    int state_per_param;
    /* One step, t = 1, 2, ..., of n parameters, each by itself: `option` holds the values in the order of `options`;
     * state[0] and state[1] are vectors with a number for each of them. */
    void (*update)(const double *option, real *const state[], int64_t n, real *params, const real *grad, int64_t t);
};

/* All of them; *count gets their number. */
const Optimizer *optimizer_table(int *count);
const Optimizer *optimizer_find(const char *name); /* NULL: no such name */
int optimizer_option(const Optimizer *o, const char *name); /* its place, or -1 */
void optimizer_defaults(const Optimizer *o, double *option); /* fills o->noptions values */
int64_t optimizer_state_size(const Optimizer *o, int64_t n); /* in reals */
void optimizer_update(const Optimizer *o, const double *option, real *state, int64_t n, real *params, const real *grad,
                      int64_t t, Team *team);

/* Learning-rate schedules: the factor on the rate at step t = 1, 2, ... of `total` (0: not known). */
typedef enum ScheduleKind { SCHEDULE_CONSTANT, SCHEDULE_EXPONENTIAL, SCHEDULE_COSINE, SCHEDULE_LINEAR } ScheduleKind;
typedef struct Schedule {
    ScheduleKind kind;
    double first;   /* CONSTANT: the factor; LINEAR: that of the first step */
    double final;   /* EXPONENTIAL, COSINE, LINEAR: the factor reached at the end */
    int64_t steps;  /* LINEAR: after so many steps */
    int64_t total;  /* EXPONENTIAL, COSINE: after so many steps, those of the warm-up among them */
    int64_t warmup; /* the first steps rise linearly from 1 / warmup to 1, times what then holds; 0: none */
} Schedule;
static inline Schedule schedule_constant(double factor) { return (Schedule){SCHEDULE_CONSTANT, factor, factor, 0, 0, 0}; }
double schedule_factor(const Schedule *s, int64_t t);
bool schedule_needs_total(const Schedule *s);
/* "cosine(final = 0.01, warmup = 100)": how it is written, in a. */
const char *schedule_text(const Schedule *s, Arena *a);

/* Scales grad so that its Euclidean norm is at most `limit` (limit <= 0: no clipping). Gives the norm before. A
 * gradient whose norm is not finite is left as it is. */
double gradient_clip(real *grad, int64_t n, double limit, Team *team);
/* The same where the norm is that of more than these numbers. */
void gradient_scale(real *grad, int64_t n, double norm, double limit);
double gradient_norm(const real *grad, int64_t n, Team *team); /* without overflow */
/* The sum of squares in double: infinite where it overflows, NaN where one number is. */
double gradient_squares(const real *grad, int64_t n, Team *team);

#endif
