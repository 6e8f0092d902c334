/* One case, run: the session that every case starts from, what is checked while it runs, and what became of it. */
#ifndef FUZZ_SESSION_H
#define FUZZ_SESSION_H

#include "cli/session.h"
#include "fuzz.h"

typedef struct Outcome {
    uint64_t hash;       /* of all that was printed and said */
    bool parsed, ended;  /* the front end let it pass; it ran to its end */
    bool interrupted;    /* its time was over, so that the hash says nothing */
    char complaint[300]; /* a broken promise, or "" */
} Outcome;

/* A context, an interpreter with the standard library. NULL: *why says why there is none. */
Session *fuzz_session(const char **why);
Vocabulary *fuzz_vocabulary(const Session *s);

/* Run a case in this process, which is good for nothing afterwards. `show`: print what it prints. */
void fuzz_run_case(Session *s, const Case *c, bool check_leaks, bool show, Outcome *out);

enum { EXIT_HANG = 70 }; /* its own time is over and it does not notice */

#endif
