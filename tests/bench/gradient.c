/* gradient MODEL.ppl DATA.json POINT.f64: the log density of the program's model at a point in unconstrained space and
 * its gradient, timed (protocol.h). The same code that map(), laplace() and hmc() call: infer/density.c. */
#include <unistd.h>

#include "cli/data.h"
#include "infer/builtins.h"
#include "infer/density.h"
#include "protocol.h"

typedef struct Work {
    Density density;
    double *point;
    long npoint;
} Work;

static void evaluate(void *self) {
    Work *w = self;
    density_at(&w->density, w->point);
}

static const Stmt *last_model(const Module *m) {
    const Stmt *found = NULL;
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind == STMT_FUNCTION && s->u.function.function->kind == FUNCTION_MODEL) found = s;
    }
    return found;
}

/* As infer() does for laplace(), with latents as they are written: nothing is non-centred. */
static Pair *pair_of(Session *s, const Stmt *model) {
    Interp *in = s->interp;
    Pair *p = ARENA_NEW(s->arena, Pair);
    *p = (Pair){.in = in, .arena = s->arena, .span = model->span, .params = ARENA_NEW(s->arena, ParamStore)};
    p->model = model_argument(in, in->globals[model->u.function.ref.slot], FUNCTION_MODEL, model->span);
    params_init(p->params, in, s->arena);
    p->automatic = value_nothing();
    p->latents = ARENA_NEW(s->arena, Latents);
    latents_init(p->latents, s->arena, false, true, "a gradient");
    pair_check(p, in, s->ctx->seed);
    return p;
}

static int serve(Session *s) {
    Work *w = s->self;
    if (!session_load(s, s->options->file)) return EXIT_PROGRAM;
    data_supply(s);
    interp_run_module(s->interp, s->module);
    const Stmt *model = last_model(s->module);
    if (!model) return EXIT_PROGRAM;
    density_init(&w->density, pair_of(s, model), s->ctx->seed, false);
    if (w->density.size != w->npoint) {
        fprintf(stderr, "the model has %lld unconstrained numbers, the point %ld\n", (long long)w->density.size,
                w->npoint);
        return EXIT_PROGRAM;
    }
    Timed timed = {evaluate, w, w->density.value, w->npoint + 1}; /* and the gradient */
    protocol_serve(&timed);
    recorder_forget(&w->density.recorder);
    return EXIT_DONE;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: gradient MODEL.ppl DATA.json POINT.f64\n");
        return EXIT_USAGE;
    }
    Work w = {0};
    w.point = protocol_read(argv[3], &w.npoint);
    const char *data[] = {argv[2]};
    Options o = {.file = argv[1], .data = data, .ndata = 1, .seed = 1, .threads = 1, .quiet = true};
    int code = session_run(&o, &w, serve);
    free(w.point);
    return code;
}
