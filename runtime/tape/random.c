/* Random operations: which stream each element of the output draws from (RandomSite in tape.h). */
#include <assert.h>
#include <string.h>

#include "tape/draws.h"
#include "tape/kernels.h"

/* Draws one number; p: the parameters' places, v of K numbers `step` apart: those of the last dimension of the first.
 */
typedef real DrawFn(Stream *s, const real *const p[], int64_t K, int64_t step);

/* In (0, 1) after rounding too. */
static inline double below_one(double u) { return (real)u < 1 ? u : 1 - 0x1p-24; }

#define DEFINE_RANDOM(name, EXPR)                                                                                      \
    static real sample_##name(Stream *s, const real *const p[], int64_t K, int64_t step) {                             \
        const real *v = p[0];                                                                                          \
        const real a = v ? *v : 0, b = p[1] ? *p[1] : 0;                                                               \
        (void)a, (void)b, (void)K, (void)step;                                                                         \
        return EXPR;                                                                                                   \
    }
#define DEFINE_SOURCE(name, EXPR)
#define DEFINE_EW(name, EXPR)
#define DEFINE_EWV(name, EXPR)
#define DEFINE_REDUCE(name, EXPR)
#define DEFINE_VIEW(name, EXPR)
#define DEFINE_CALL(name, EXPR)
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr) DEFINE_##class(name, expr)
#include "tape/ops.def"
#undef OP

#define SAMPLE_OF_RANDOM(name) sample_##name
#define SAMPLE_OF_SOURCE(name) NULL
#define SAMPLE_OF_EW(name) NULL
#define SAMPLE_OF_EWV(name) NULL
#define SAMPLE_OF_REDUCE(name) NULL
#define SAMPLE_OF_VIEW(name) NULL
#define SAMPLE_OF_CALL(name) NULL
static DrawFn *const samples[OP_COUNT] = {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = SAMPLE_OF_##class(name),
#include "tape/ops.def"
#undef OP
};

/* The dimensions of the output in the order they are walked: those that choose a stream, then the event. */
typedef struct Walk {
    int rank, streams; /* dimensions in all; how many of them choose the stream */
    int dim[MAX_RANK];
    int64_t index[MAX_RANK]; /* by dimension of the output */
    int operands;
    int64_t stride[2][MAX_RANK]; /* of the parameters, broadcast */
} Walk;

static void walk_start(Walk *w, const KernelCall *call, int operands) {
    const RandomSite *site = call->attr->random;
    int rank = call->out->shape.rank;
    *w = (Walk){.rank = rank, .operands = operands};
    bool chooses[MAX_RANK] = {false};
    for (int k = 0; k < site->n; k++)
        if (site->index[k].dim >= 0) chooses[site->index[k].dim] = true;
    if (site->particle_dim >= 0) chooses[site->particle_dim] = true;
    for (int d = 0; d < rank; d++)
        if (chooses[d]) w->dim[w->streams++] = d;
    for (int d = 0, at = w->streams; d < rank; d++)
        if (!chooses[d]) w->dim[at++] = d;
    for (int k = 0; k < operands; k++) {
        const Tensor *t = call->in[k];
        int own_rank = t->shape.rank - (call->op == OP_DRAW_CATEGORICAL);
        for (int d = 0; d < rank; d++) {
            int own = d - (rank - own_rank);
            w->stride[k][d] = own < 0 || t->shape.dim[own] == 1 ? 0 : t->stride[own];
        }
    }
}

/* To the next index of the dimensions dim[from..to); false after the last. */
static bool walk_next(Walk *w, int from, int to, const Tensor *out, real **q, const real *p[]) {
    for (int k = to - 1; k >= from; k--) {
        int d = w->dim[k];
        *q += out->stride[d];
        for (int j = 0; j < w->operands; j++) p[j] += w->stride[j][d];
        if (++w->index[d] < out->shape.dim[d]) return true;
        *q -= out->stride[d] * out->shape.dim[d];
        for (int j = 0; j < w->operands; j++) p[j] -= w->stride[j][d] * out->shape.dim[d];
        w->index[d] = 0;
    }
    return false;
}

/* Entry k of the address at the walk's place. */
static int64_t site_entry(const KernelCall *call, int operands, const Walk *w, int k) {
    int dim = call->attr->random->index[k].dim, ids = call->attr->random->index[k].ids;
    int64_t first = call->attr->random->index[k].first;
    if (dim < 0) return first;
    if (ids <= 0) return first + w->index[dim];
    return (int64_t)tensor_item(call->in[operands + ids - 1], w->index[dim]);
}

static Stream site_stream(const KernelCall *call, int operands, const Walk *w) {
    const RandomSite *site = call->attr->random;
    uint64_t key = site->key;
    for (int k = 0; k < site->n - 1; k++) key = key_fold(key, (uint64_t)site_entry(call, operands, w, k));
    uint32_t element = site->n > 0 ? (uint32_t)site_entry(call, operands, w, site->n - 1) : 0;
    uint32_t particle = call->env->particle;
    if (site->particle_dim >= 0) particle += (uint32_t)w->index[site->particle_dim];
    return stream_at(key, element, particle, call->env->step);
}

/* Normals are made in double, many at a time, and rounded on their way to their places. */
typedef struct Waiting {
    Normals normals;
    int nruns;
    struct Run {
        real *to;
        int64_t stride;
        int n;
    } runs[NORMALS];
} Waiting;

static void waiting_flush(Waiting *w) {
    double made[NORMALS];
    const double *from = made;
    normals_make(&w->normals, made);
    for (const struct Run *r = w->runs; r < w->runs + w->nruns; from += r++->n)
        for (int k = 0; k < r->n; k++) r->to[k * r->stride] = (real)from[k];
    w->nruns = 0;
}

static void waiting_add(Waiting *w, Stream s, NormalsAlong along, int64_t n, real *to, int64_t stride) {
    while (n > 0) {
        int taken = normals_add(&w->normals, &s, along, n);
        w->runs[w->nruns++] = (struct Run){to, stride, taken};
        to += taken * stride;
        *(along == ALONG_EVENT ? &s.block : &s.place[along]) += (uint32_t)taken;
        n -= taken;
        if (w->normals.n == NORMALS) waiting_flush(w);
    }
}

/* What one step along the innermost dimension changes. False: neither of these alone, and it is no run of numbers. */
static bool innermost(const RandomSite *site, const Walk *w, NormalsAlong *along) {
    *along = ALONG_EVENT;
    if (w->rank == 0) return false;
    if (w->rank > w->streams) return true;
    int d = w->dim[w->rank - 1], last = site->n - 1;
    for (int k = 0; k < last; k++)
        if (site->index[k].dim == d) return false;
    bool element = last >= 0 && site->index[last].dim == d;
    *along = element ? ALONG_ELEMENT : ALONG_PARTICLE;
    return d == site->particle_dim ? !element : element && site->index[last].ids <= 0;
}

/* Those of so many steps, that of the call first, to q: in the order of the output, one step behind the other. */
static void collect_normals(const KernelCall *call, uint32_t steps, real *q) {
    const Tensor *out = call->out;
    Waiting waiting;
    waiting.normals.n = waiting.nruns = 0;
    Walk w;
    walk_start(&w, call, 0);
    NormalsAlong along;
    bool run = innermost(call->attr->random, &w, &along);
    int inner = run ? w.rank - 1 : w.rank, streams = w.streams < inner ? w.streams : inner;
    int64_t n = run ? out->shape.dim[w.dim[inner]] : 1, stride = run ? out->stride[w.dim[inner]] : 0;
    const real *none[2] = {NULL, NULL};
    for (uint32_t step = 0; step < steps; step++, q += shape_size(out->shape)) {
        do {
            Stream s = site_stream(call, 0, &w);
            s.place[2] += step;
            do {
                waiting_add(&waiting, s, along, n, q, stride);
                if (along == ALONG_EVENT) s.block += (uint32_t)n;
            } while (walk_next(&w, streams, inner, out, &q, none));
        } while (walk_next(&w, 0, streams, out, &q, none));
    }
    waiting_flush(&waiting);
}

/* -- Few numbers a step leave lanes empty, and wait for Philox: those of some steps are made at once where one step
 *    follows the other -- */

enum { STEPS_AHEAD = 16, LEAST_STEPS_AHEAD = 2 };

typedef struct NormalsAhead {
    int64_t size;                                 /* numbers of a step */
    uint32_t room, nsteps, first, last, particle; /* nsteps are there from step `first` on; the one last asked for */
    real *values;
} NormalsAhead;

NormalsAhead *normals_ahead_new(const KernelCall *call, Arena *a) {
    int64_t size = shape_size(call->out->shape);
    if (call->op != OP_NORMAL || call->n > 0 || size < 1 || size > NORMALS / LEAST_STEPS_AHEAD) return NULL;
    NormalsAhead *h = ARENA_NEW(a, NormalsAhead);
    *h = (NormalsAhead){.size = size, .room = (uint32_t)(size * STEPS_AHEAD < NORMALS ? STEPS_AHEAD : NORMALS / size)};
    h->values = ARENA_ARRAY(a, real, size * h->room);
    return h;
}

static void make_ahead(const KernelCall *call, NormalsAhead *h) {
    const KernelEnv *now = call->env;
    bool follows = h->nsteps > 0 && now->step == h->last + 1 && now->particle == h->particle;
    h->first = now->step, h->particle = now->particle;
    h->nsteps = follows ? h->room : 1;
    collect_normals(call, h->nsteps, h->values);
}

static void draw_normals(const KernelCall *call) {
    NormalsAhead *h = call->ahead;
    if (!h) {
        collect_normals(call, 1, call->out->data);
        return;
    }
    uint32_t step = call->env->step;
    if (step - h->first >= h->nsteps || call->env->particle != h->particle) make_ahead(call, h);
    h->last = step;
    memcpy(call->out->data, h->values + (step - h->first) * h->size, sizeof(real) * (size_t)h->size);
}

bool kernel_random(const KernelCall *call) {
    const Tensor *out = call->out;
    if (shape_size(out->shape) == 0) return true;
    DrawFn *draw = samples[call->op];
    int operands = op_info(call->op)->arity;
    assert(draw && operands <= 2 && operands <= call->n);
    if (call->op == OP_NORMAL) {
        draw_normals(call);
        return true;
    }
    Walk w;
    walk_start(&w, call, operands);
    const real *p[2] = {NULL, NULL};
    for (int k = 0; k < operands; k++) p[k] = call->in[k]->data;
    int64_t K = 0, step = 0;
    if (call->op == OP_DRAW_CATEGORICAL) {
        int last = call->in[0]->shape.rank - 1;
        K = call->in[0]->shape.dim[last];
        step = call->in[0]->stride[last];
    }
    real *q = out->data;
    do {
        Stream s = site_stream(call, operands, &w);
        do *q = draw(&s, p, K, step);
        while (walk_next(&w, w.streams, w.rank, out, &q, p));
    } while (walk_next(&w, 0, w.streams, out, &q, p));
    return true;
}
