#include "cli/session.h"

#include <cblas.h>
#include <unistd.h>

#include "base/team.h"
#include "cli/profile.h"
#include "cli/program.h"
#include "pictures/pictures.h"

static void show_warning(void *self, const Error *warning) { screen_show(self, SEVERITY_WARNING, warning); }

int session_report(Session *s, const Error *e) {
    if (e->kind == ERROR_INTERRUPT) {
        screen_say(&s->screen, SEVERITY_NOTE, NULL, "interrupted");
        return EXIT_INTERRUPTED;
    }
    screen_show(&s->screen, SEVERITY_ERROR, e);
    return e->kind == ERROR_USAGE ? EXIT_USAGE : e->kind == ERROR_NUMERIC ? EXIT_NUMERIC : EXIT_PROGRAM;
}

Module *session_check(Session *s, int source, bool interactive) {
    Diagnostics found = {.max_errors = 20};
    LoadOptions load = {.interactive = interactive, .self = s->arena};
    load.read_import = interactive ? program_read_import_anew : program_read_import;
    Module *m = lang_load(s->ctx, s->interp->names, source, &load, &found);
    for (int k = 0; k < found.n; k++)
        screen_show(&s->screen, found.list[k].warning ? SEVERITY_WARNING : SEVERITY_ERROR, &found.list[k].error);
    return found.nerrors == 0 ? m : NULL;
}

bool session_load(Session *s, const char *file) {
    const char *why = NULL;
    int number = program_read(s->ctx, s->arena, file, &why);
    if (number < 0)
        screen_say(&s->screen, SEVERITY_ERROR, NULL, "cannot read the program %s: %s", file, why);
    else
        s->module = session_check(s, number, false);
    return s->module != NULL;
}

typedef struct Guarded {
    Session *session;
    int (*body)(Session *s);
    int code;
} Guarded;

static void run_guarded(void *arg) {
    Guarded *g = arg;
    Session *s = g->session;
    s->interp = interp_new(s->ctx, (const Builtin *const *const[]){infer_builtins, picture_builtins, NULL});
    InferSettings settings = {.self = &s->screen, .on_progress = screen_progress};
    infer_attach(s->interp, &settings);
    interp_load_stdlib(s->interp);
    g->code = g->body(s);
}

/* Arrays larger than the memory of the machine are mistakes. */
static size_t memory_of_machine(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0;
}

int session_run(const Options *o, void *self, int (*body)(Session *s)) {
    double start = profile_clock();
    Session s = {.options = o, .ctx = ctx_new(), .self = self};
    s.arena = ctx_arena(s.ctx);
    screen_open(&s.screen, s.ctx, s.arena, o->quiet, o->json);
    s.screen.silent = o->silent;
    s.ctx->seed = o->seed;
    if (o->profile) s.ctx->profile = profile_new();
    s.ctx->team = team_new(o->threads);
    openblas_set_num_threads(1); /* its sums depend on the number of threads; ours must not */
    s.ctx->max_bytes = memory_of_machine();
    s.ctx->on_warning = show_warning;
    s.ctx->warning_self = &s.screen;
    s.ctx->interrupted = interrupts_catch();
    Guarded g = {.session = &s, .body = body};
    Error caught;
    if (!ctx_protect(s.ctx, run_guarded, &g, &caught)) g.code = session_report(&s, &caught);
    screen_erase(&s.screen);
    if (s.interp) {
        infer_detach(s.interp);
        interp_free(s.interp);
    }
    if (s.ctx->profile) profile_print(stderr, s.ctx, s.ctx->profile, 30, profile_clock() - start);
    profile_free(s.ctx->profile);
    arena_free(s.arena);
    team_free(s.ctx->team);
    ctx_free(s.ctx);
    return g.code;
}
