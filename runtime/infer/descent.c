#include "infer/descent.h"

#include <math.h>
#include <string.h>

enum { SHOWN_PATHS = 8 };

/* -- Rules -- */

bool path_matches(const char *pattern, const char *path) {
    const char *star = NULL, *resume = NULL;
    while (*path) {
        if (*pattern == '*') {
            star = pattern++, resume = path;
        } else if (*pattern == *path) {
            pattern++, path++;
        } else if (star) { /* the last star takes one more */
            pattern = star + 1, path = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static int letters(const char *pattern) {
    int n = 0;
    for (; *pattern; pattern++) n += *pattern != '*';
    return n;
}

static int rule_of(const Descent *d, const char *path) {
    int best = 0, most = -1;
    for (int k = 1; k < d->nrules; k++) {
        int n = letters(d->rules[k].pattern);
        if (n >= most && path_matches(d->rules[k].pattern, path)) best = k, most = n;
    }
    return best;
}

/* The path, or the beginning of one up to a dot, that is spelt like the pattern without its stars; or a list of paths.
 */
static const char *nearest_paths(const Descent *d, const char *pattern) {
    char *stem = arena_strdup(d->arena, pattern);
    size_t length = 0;
    for (const char *c = pattern; *c; c++)
        if (*c != '*') stem[length++] = *c;
    while (length && stem[length - 1] == '.') length--;
    stem[length] = '\0';
    Buf list = {0};
    const char *near = NULL;
    for (int i = 0; i < d->nparams && !near; i++) {
        const char *path = d->params->list[i].name;
        for (const char *dot = strchr(path, '.'); dot && !near; dot = strchr(dot + 1, '.')) {
            const char *part = arena_printf(d->arena, "%.*s", (int)(dot - path), path);
            if (nearest_name(stem, &part, 1)) near = arena_printf(d->arena, "did you mean \"%s.*\"?", part);
        }
        if (nearest_name(stem, &path, 1)) near = arena_printf(d->arena, "did you mean \"%s\"?", path);
        if (i < SHOWN_PATHS) buf_printf(&list, "%s%s", i ? ", " : "", path);
        if (i == SHOWN_PATHS) buf_add(&list, ", ...");
    }
    if (!near) near = arena_printf(d->arena, "they are: %s", d->nparams ? list.text : "none");
    buf_free(&list);
    return near;
}

void descent_check(const Descent *d, Span at) {
    for (int k = 1; k < d->nrules; k++) {
        bool matches = false;
        for (int i = 0; i < d->nparams && !matches; i++)
            matches = path_matches(d->rules[k].pattern, d->params->list[i].name);
        if (!matches)
            ctx_raise(d->ctx, ERROR_PROGRAM, at, nearest_paths(d, d->rules[k].pattern),
                      "no learned parameter matches \"%s\"", d->rules[k].pattern);
    }
}

void descent_init(Descent *d, Ctx *c, Arena *arena, ParamStore *params, DescentRule *rules, int nrules) {
    *d = (Descent){.ctx = c, .arena = arena, .params = params, .rules = rules, .nrules = nrules};
    descent_grow(d);
}

void descent_steps(Descent *d, long steps) {
    for (int k = 0; k < d->nrules; k++) d->rules[k].choice.schedule.total = steps;
}

/* -- Stretches of the vector -- */

DescentRun *descent_add(Descent *d) {
    ARENA_GROW(d->arena, d->runs, d->nruns, d->capacity, 4);
    return &d->runs[d->nruns++];
}

bool descent_grow(Descent *d) {
    if (d->nparams == d->params->n) return false;
    int first = d->nruns;
    for (; d->nparams < d->params->n; d->nparams++) {
        const ParamInfo *p = &d->params->list[d->nparams];
        if (p->share > 0) continue;
        int rule = rule_of(d, p->name);
        const DescentRun *last = d->nruns > first ? &d->runs[d->nruns - 1] : NULL;
        if (!last || last->rule != rule || last->offset + last->size != p->offset)
            *descent_add(d) = (DescentRun){.offset = p->offset, .rule = rule};
        d->runs[d->nruns - 1].size += p->size;
    }
    for (int k = first; k < d->nruns; k++) {
        DescentRun *r = &d->runs[k];
        r->state = ARENA_ARRAY(d->arena, real, optimizer_state_size(d->rules[r->rule].choice.optimizer, r->size) + 1);
    }
    d->size = d->params->size;
    return true;
}

/* -- Steps -- */

/* By the norm of all that the rule moves. */
static void clip_rule(Descent *d, real *gradient, int rule) {
    double limit = d->rules[rule].choice.clip, norm = 0;
    if (rule == 0) {
        gradient_clip(gradient, d->size, limit, d->ctx->team);
        return;
    }
    for (int k = 0; k < d->nruns; k++)
        if (d->runs[k].rule == rule)
            norm = hypot(norm, gradient_norm(gradient + d->runs[k].offset, d->runs[k].size, d->ctx->team));
    for (int k = 0; k < d->nruns; k++)
        if (d->runs[k].rule == rule) gradient_scale(gradient + d->runs[k].offset, d->runs[k].size, norm, limit);
}

void descent_update(Descent *d, real *gradient, long step, double factor) {
    for (int k = 0; k < d->nrules; k++)
        if (d->rules[k].choice.clip > 0) clip_rule(d, gradient, k);
    for (int k = 0; k < d->nruns; k++) {
        DescentRun *r = &d->runs[k];
        const OptimizerChoice *o = &d->rules[r->rule].choice;
        double option[MAX_OPTIONS];
        memcpy(option, o->option, sizeof option);
        option[0] *= factor * (step ? schedule_factor(&o->schedule, step) : 1);
        optimizer_update(o->optimizer, option, r->state, r->size, d->params->values + r->offset, gradient + r->offset,
                         ++r->updates, d->ctx->team);
    }
}

bool descent_follow(const Descent *d, real *gradient) {
    bool any = false;
    for (int k = 0; k < d->nparams; k++) {
        const ParamInfo *p = &d->params->list[k];
        if (!(p->share > 0)) continue;
        for (int64_t i = p->offset; i < p->offset + p->size; i++) {
            d->params->values[i] -= (real)p->share * gradient[i];
            gradient[i] = 0;
        }
        any = true;
    }
    return any;
}

double descent_rate(const Descent *d, long step) {
    const OptimizerChoice *o = &d->rules[0].choice;
    return o->option[0] * schedule_factor(&o->schedule, step);
}

void descent_restart(Descent *d) {
    for (int k = 0; k < d->nruns; k++) {
        DescentRun *r = &d->runs[k];
        int64_t n = optimizer_state_size(d->rules[r->rule].choice.optimizer, r->size);
        if (n) memset(r->state, 0, sizeof(real) * (size_t)n);
        r->updates = 0;
    }
}
