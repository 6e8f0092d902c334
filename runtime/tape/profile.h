/* Where the time of programs goes, by operation and statement. With a Profile in the context every run of a program is
 * measured as a whole; the first ones and then one in PROFILE_EVERY operation by operation, which tells the shares. */
#ifndef TAPE_PROFILE_H
#define TAPE_PROFILE_H

#include "base/ctx.h"

enum { PROFILE_FIRST = 16, PROFILE_EVERY = 16 };

typedef struct ProfileRow {
    const char *what; /* "exp", or what runs as one loop: "sub square mul sum" */
    Span span;        /* of the statement (of the first of them) */
    bool backward;    /* made by differentiation */
    double calls, seconds;
} ProfileRow;

typedef struct Profile Profile;
Profile *profile_new(void);
void profile_free(Profile *p);
/* Adds to the row of what, span's file and line, and backward; `what` is copied. */
void profile_add(Profile *p, const char *what, Span span, bool backward, double calls, double seconds);
/* Who measures says so, and adds its rows when asked: by profile_rows, or (then it leaves) when it ends. */
typedef struct ProfileSource {
    Profile *profile;                         /* NULL: it has been asked */
    void (*report)(struct ProfileSource *me); /* profile_add()s to me->profile */
    struct ProfileSource *next, **before;
} ProfileSource;
void profile_join(Profile *p, ProfileSource *s);
void profile_leave(ProfileSource *s);
/* The rows, longest time first; all sources have left then. */
const ProfileRow *profile_rows(Profile *p, int *n);
/* Seconds of some clock that is cheap to read. */
double profile_clock(void);
/* What reading it twice takes. */
double profile_clock_cost(void);

#endif
