/* A team of threads that waits without using the processor and shares out the parts of one piece of work.
 *
 * The parts are fixed by the work, never by the number of threads: each is computed by one thread from its own inputs
 * into its own place, so the numbers do not depend on how many there are.
 */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include <stdint.h>

typedef struct Team Team;

/* n threads, the caller's included. NULL for n <= 1 (and where no thread can be started): everything by the caller. */
Team *team_new(int n);
void team_free(Team *t); /* NULL is fine */

/* part(arg, 0), ..., part(arg, parts - 1), each once, in any order; back when all are done. Parts must not raise, and
 * only one thread (that of the interpreter) may call this. t may be NULL. */
void team_run(Team *t, int parts, void (*part)(void *arg, int k), void *arg);

/* The same for an array of n: part(arg, start, end) for stretches of `piece`, the last of them shorter. */
void team_run_stretches(Team *t, int64_t n, int64_t piece, void (*part)(void *arg, int64_t start, int64_t end),
                        void *arg);

#endif
