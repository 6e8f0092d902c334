#include "base/team.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct Team {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    void (*part)(void *arg, int k);
    void *arg;
    int parts, next, busy; /* parts in all, the next to be taken, those being worked on */
    bool leaving;
    int nthreads;
    pthread_t threads[];
};

/* With the lock held: take parts until none is left. */
static void take_parts(Team *t) {
    while (t->next < t->parts) {
        int k = t->next++;
        t->busy++;
        pthread_mutex_unlock(&t->lock);
        t->part(t->arg, k);
        pthread_mutex_lock(&t->lock);
        t->busy--;
    }
    if (t->busy == 0) pthread_cond_signal(&t->done);
}

static void *work(void *self) {
    Team *t = self;
    pthread_mutex_lock(&t->lock);
    while (!t->leaving) {
        take_parts(t);
        pthread_cond_wait(&t->work, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

Team *team_new(int n) {
    if (n <= 1) return NULL;
    Team *t = calloc(1, sizeof *t + sizeof(pthread_t) * (size_t)(n - 1));
    if (!t) return NULL;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, NULL);
    pthread_cond_init(&t->done, NULL);
    while (t->nthreads < n - 1 && pthread_create(&t->threads[t->nthreads], NULL, work, t) == 0) t->nthreads++;
    if (t->nthreads > 0) return t;
    team_free(t);
    return NULL;
}

void team_free(Team *t) {
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->leaving = true;
    pthread_cond_broadcast(&t->work);
    pthread_mutex_unlock(&t->lock);
    for (int k = 0; k < t->nthreads; k++) pthread_join(t->threads[k], NULL);
    pthread_cond_destroy(&t->work);
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void team_run(Team *t, int parts, void (*part)(void *arg, int k), void *arg) {
    if (!t || parts <= 1) {
        for (int k = 0; k < parts; k++) part(arg, k);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->part = part, t->arg = arg, t->parts = parts, t->next = 0;
    pthread_cond_broadcast(&t->work);
    take_parts(t);
    while (t->busy > 0) pthread_cond_wait(&t->done, &t->lock);
    t->parts = t->next = 0;
    pthread_mutex_unlock(&t->lock);
}

typedef struct Stretches {
    int64_t n, piece;
    void (*part)(void *arg, int64_t start, int64_t end);
    void *arg;
} Stretches;

static void run_stretch(void *self, int k) {
    const Stretches *s = self;
    int64_t start = k * s->piece, end = start + s->piece;
    s->part(s->arg, start, end < s->n ? end : s->n);
}

void team_run_stretches(Team *t, int64_t n, int64_t piece, void (*part)(void *arg, int64_t start, int64_t end),
                        void *arg) {
    if (n <= piece) {
        if (n > 0) part(arg, 0, n);
        return;
    }
    Stretches s = {n, piece, part, arg};
    team_run(t, (int)((n + piece - 1) / piece), run_stretch, &s);
}
