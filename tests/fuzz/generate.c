/* Random programs from the grammar: templates, expanded to a limited depth, with the names in scope by what they hold.
 *
 * In a template `%` and a letter stands for
 *   n v m d k f r s a   an expression: number, vector, matrix, distribution, discrete distribution, function of one
 *                       argument, record, string, any of these; i a small number, l a nasty one
 *   N V M F R           a new name, known from the next line on, that holds such a thing; I one for the body only
 *   T                   the target of a `~`: a new name with the indices of the plates at work
 *   x                   a call of some function; D one of a distribution with arguments that suit its parameters
 *   A                   a call of a model or its name, as `infer` takes it; G one of a guide
 *   P                   `i in 1..3` of a new plate; O, o: likewise over data, and that element
 *   S B                 statements of a model or function, until the line with the closing brace
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { MAX_NAMES = 120, MAX_PLATES = 6, MOST_TEXT = 24000 };

typedef struct Known {
    char text[16];
    char holds; /* the letter; 'O' data, 'A' a model, 'G' a guide */
} Known;

typedef struct Gen {
    Rng *r;
    const Vocabulary *v;
    Buf *out;
    Known names[MAX_NAMES], fresh[MAX_NAMES];
    int nnames, nfresh, counter;
    char plates[MAX_PLATES][16];
    int nplates, depth, budget;
    const char *element; /* the data's element that `%o` means */
    char element_text[32];
    bool in_model, wild;
} Gen;

static const char *const NUMBERS[] = {
    "%i",
    "%i",
    "%i",
    "%l",
    "%n + %n",
    "%n - %n",
    "%n * %n",
    "%n / %n",
    "%n ^ %n",
    "%n % %n",
    "-%n",
    "(%n)",
    "sum(%v)",
    "mean(%v)",
    "%v[%i]",
    "%m[%i, %i]",
    "%f(%n)",
    "%n |> %f",
    "if %n > %n { %n } else { %n }",
    "%n == %n",
    "%n and %n",
    "not %n",
    "logpdf(%d, %n)",
    "draw(%d)",
    "mean(%d)",
    "cdf(%d, %n)",
    "%r.a",
    "%r.b",
    "len(%v)",
    "%v @ %v",
    "%x",
    "%x",
    "%x",
    "%l",
    "(x -> %n)(%n)",
    "[%n, %n][%i]",
    "exp(%n)",
    "max(%n, %n)",
    "logsumexp(%v)",
    "reduce((a, b) -> a + b, %v)",
    "kl(%d, %d)",
    "grad(x -> %n, %n)",
    "%s == %s",
    "missing",
    "where(%n > 0, %n, %n)",
    "icdf(%d, 0.3)",
    "entropy(%d)",
    "%m[%i][%i]",
};
static const char *const VECTORS[] = {
    "[%i, %i, %i]",
    "[%n, %n]",
    "1..%i",
    "%n..%n",
    "%v + %v",
    "%n * %v",
    "%v ^ %n",
    "-%v",
    "%m @ %v",
    "%m[%i]",
    "%m[:, %i]",
    "%v[%v]",
    "%v[1..%i]",
    "%v[%v > %n]",
    "zeros(%i)",
    "ones(%n)",
    "map(%f, %v)",
    "concat(%v, %v)",
    "exp(%v)",
    "cumsum(%v)",
    "rev(%v)",
    "sort(%v)",
    "where(%v > %n, %v, %n)",
    "missing[%i]",
    "[]",
    "%x",
    "draw(%d[%i])",
    "logpdf(%d, %v)",
    "shape(%m)",
    "diag(%m)",
    "softmax(%v)",
    "linspace(%n, %n, %i)",
    "full(%n, %i)",
    "[%n]",
    "filter(x -> x > %n, %v)",
    "flatten(%m)",
    "grad(x -> sum(x * %v), %v)",
    "mean(%m, dim = %i)",
};
static const char *const MATRICES[] = {
    "[[%i, %i], [%i, %i]]",
    "[%v, %v]",
    "%m @ %m",
    "%m + %m",
    "%m * %n",
    "t(%m)",
    "reshape(%v, %i, %i)",
    "zeros(%i, %i)",
    "eye(%i)",
    "outer(%v, %v)",
    "inverse(%m)",
    "cholesky(%m)",
    "%m[1..%i, 1..%i]",
    "diag(%v)",
    "stack(%v, %v)",
    "missing[%i, %i]",
    "draw(%d[%i, %i])",
    "[[2, 0.5], [0.5, 1]]",
    "exp(%m)",
    "hessian(x -> sum(x ^ 2), %v)",
    "%m[:, %v]",
    "%x",
    "solve(%m, %m)",
    "cov(%m)",
    "permute(%m, 2, 1)",
    "[[%n], [%n, %n]]",
    "ones(2, 3, %i)",
};
static const char *const DISTS[] = {
    "Normal(%n, %n)",
    "Normal(0, 1)",
    "Normal(%n, 1)",
    "%D",
    "%D",
    "%D",
    "%D",
    "Normal(%n, exp(%n))",
    "%d[%i]",
    "[%d, %d][%i]",
    "Normal(%v, 1)",
    "Gamma(2, 1)",
    "Beta(1, 1)",
    "Normal(%v, %v)",
    "%d[%i, %i]",
    "(if %n > 0 { %d } else { %d })",
};
static const char *const DISCRETE[] = {
    "Bernoulli(0.3)",   "Categorical([0.2, 0.3, 0.5])", "Bernoulli(logits = %n)", "Categorical(softmax(%v))",
    "Poisson(exp(%n))", "Categorical(logits = %v)",     "Binomial(%i, 0.5)",      "%D",
};
static const char *const FUNCTIONS[] = {"exp", "(x -> %n)",    "(x -> x ^ 2)", "sum",        "sigmoid",
                                        "abs", "(x -> %f(x))", "log",          "(() -> %n)", "((x, y) -> %n)"};
static const char *const RECORDS[] = {"{a: %n, b: %n}", "{a: %v, b: %d}", "{a: %r, b: %a}", "{}", "{b: %f}"};
static const char *const STRINGS[] = {"\"a\"", "\"\"", "\"mu\"", "%s + %s", "str(%a)", "\"\\n\\\"\"", "\"\xCE\xBC\""};
static const char *const ANY[] = {"%n", "%n", "%v",       "%v",       "%m", "%d", "%f",
                                  "%r", "%s", "(%a, %a)", "[%a, %a]", "%x", "%l", "missing"};

static const char *const TOP[] = {
    "%N = %n",
    "%V = %v",
    "%M = %m",
    "%R = %r",
    "%F = %f",
    "print(%a)",
    "print(%n, %v)",
    "print(%x)",
    "print(%x)",
    "(%N, %N) = (%n, %n)",
    "(%N, %N) = %v",
    "fn %F(x) = %n",
    "fn %F(x, y = %n) {\n%B}",
    "for %I in 1..%i {\n%B}",
    "for %I in %v {\n%B}",
    "if %n {\n%B} else {\n%B}",
    "while %n < 3 {\n%B}",
    "net %F(x) {\n%B  x |> dense(%i) |> %f\n}",
    "%V[1] = %n",
    "dist %F(p: unit, q: positive) on real {\n  logpdf(x) = %n\n  draw() = %n\n}",
    "print(logpdf(%d, %a))",
    "print(draw(%d))",
    "print(%D)",
    "%a",
    "print(simulate(%A))",
    "data %V = %v",
    "data %N: real = %n",
    "data %V: real[%i] = %v",
    "data %V: simplex[3] = softmax([1, 2, %n])",
    "data %M: cov[2] = [[2, %n], [%n, 1]]",
    "data %V: ordered[%i] = %v",
    "data %M: corr_cholesky[2] = cholesky([[1, 0.5], [0.5, 1]])",
    "data %V: int(0, %i)[K] = %v",
    "data %M: unit[A, B] = %m",
};
static const char *const IN_FUNCTION[] = {
    "%N = %n",   "%V = %v",           "%M = %m",
    "return %n", "if %n > %n {\n%B}", "for %I in 1..%i {\n%B}",
    "%n",        "%V[1] = %n",        "(%N, %N) = (%n, %n)",
    "%R = %r",   "print(%a)",         "fn %F(x) = %n",
    "%F = %f",
};
static const char *const IN_MODEL[] = {
    "%T ~ %d",
    "%T ~ %d",
    "%T ~ %d",
    "%T ~ %k",
    "%T ~ %D",
    "plate %P {\n%S}",
    "plate %P {\n%S}",
    "plate %P, %P {\n%S}",
    "plate %O {\n%S%o ~ %d\n}",
    "plate %O {\n%S%o ~ Normal(%n, 1)\n}",
    "plate %O {\n%o ~ %D\n}",
    "%N = %n",
    "%V = %v",
    "%T := %n",
    "factor %n",
    "observe %n ~ %d",
    "if %n > %n {\n%S} else {\n%S}",
    "for %I in 1..%i {\n%S}",
    "%T ~ %A",
    "return %n",
    "%R = %r",
    "param %N = %n",
    "%V[1] = %n",
    "%T ~ %d[%i]",
    "%M = %m",
    "%T = %n",
    "param %V: real[%i] = %v",
    "%T ~ Dirichlet([1, 1, %n])",
    "%T ~ LKJCholesky(2, 1)",
    "%T ~ Wishart(4, [[1, 0], [0, 1]])",
    "%T ~ MultivariateNormal([0, 0], [[2, 0.5], [0.5, 1]])",
    "%T ~ Uniform(-1, exp(%n))",
    "%T ~ VonMises(0, 1)",
    "%T ~ Gamma(exp(%n), 1)",
    "param %N: positive = %n",
    "param %V: simplex[3]",
    "param %M: cov[2]",
    "param %N: unit",
    "param %V: ordered[%i]",
    "%T ~ %d[2, %i]",
    "observe %v ~ %d",
    "observe %v ~ %D",
    "%o ~ %k",
    "while %n < 2 {\n%S}",
    "%T ~ HalfNormal(exp(%n))",
};
static const char *const METHODS[] = {
    "",
    ", steps = %i",
    ", method = svi(), steps = 3",
    ", method = map()",
    ", method = laplace()",
    ", method = importance(%i)",
    ", method = nuts(), draws = 3",
    ", method = smc(5)",
    ", method = hmc(), draws = 3",
    ", method = em()",
    ", method = mean_field()",
    ", method = pathfinder()",
    ", guide = auto_normal(), steps = 2",
    ", guide = auto_mvn(), steps = 2",
    ", guide = auto_low_rank(%i), steps = 2",
    ", guide = auto_delta(), steps = 2",
    ", draws = %i, steps = 2",
    ", batch = {i: 2}, steps = 3",
    ", method = svi(objective = IWAE(3)), steps = 2",
    ", method = wake_sleep(), steps = 2",
    ", optimizer = adam(%n), steps = 2",
    ", seed = %n, steps = 1",
    ", %a",
    ", method = svi(objective = ELBO(particles = 3)), steps = 3",
};
static const char *const AFTER_FIT[] = {
    "print(fit)",
    "print(fit.%e)",
    "print(mean(fit.%e))",
    "print(predict(fit, %A))",
    "print(elbo(fit, %A))",
    "print(log_evidence(fit, %A))",
    "print(posterior(fit, %G))",
    "print(fit.elbo, fit.trace)",
    "print(simulate(%A, %i))",
    "print(fit.%e[%i])",
    "print(logpdf(%A, %r))",
    "fit2 = infer(%A, from = fit, steps = 1)",
    "print(fit.params)",
    "write(\"draws.csv\", fit)",
    "print(keys(simulate(%A)))",
    "print(elbo(fit, %A, %G))",
    "summary(fit)",
    "save(\"p.safetensors\")",
    "load(\"p.safetensors\")",
};

#define PICK(g, list) ((list)[rng_below((g)->r, sizeof(list) / sizeof *(list))])

static void expand(Gen *g, const char *format);

/* A name in scope that holds this, from the last ones more often. */
static const char *known(Gen *g, char holds) {
    const char *found = NULL;
    int n = 0;
    for (int k = 0; k < g->nnames; k++)
        if (g->names[k].holds == holds) {
            n++;
            if (rng_below(g->r, n) < 1 + n / 4) found = g->names[k].text;
        }
    return found;
}

static void add_fresh(Gen *g, char holds) {
    if (g->nfresh == MAX_NAMES || g->nnames + g->nfresh >= MAX_NAMES || (g->nnames && rng_chance(g->r, 4))) {
        const char *old = known(g, holds);
        buf_add(g->out, old ? old : "again");
        return;
    }
    Known *k = &g->fresh[g->nfresh++];
    k->holds = holds;
    snprintf(k->text, sizeof k->text, "%c%d",
             holds == 'O'   ? 'y'
             : holds == 'A' ? 'M'
             : holds == 'G' ? 'q'
                            : holds,
             ++g->counter);
    buf_add(g->out, k->text);
}

static void add_number(Gen *g, TypeKind type) {
    static const char *const units[] = {"0.3", "0.9", "0.5", "sigmoid(%n)"};
    static const char *const positives[] = {"1", "0.5", "3", "exp(%n)"};
    static const char *const reals[] = {"0", "%n", "-1.5", "2"};
    switch (type) {
    case TYPE_UNIT: expand(g, PICK(g, units)); break;
    case TYPE_POSITIVE: expand(g, PICK(g, positives)); break;
    case TYPE_INT:
    case TYPE_BOOL: expand(g, "%i"); break;
    case TYPE_SIMPLEX: expand(g, rng_chance(g->r, 60) ? "[0.2, 0.3, 0.5]" : "softmax(%v)"); break;
    case TYPE_ORDERED: expand(g, "[1, 2, 3]"); break;
    case TYPE_COV: expand(g, rng_chance(g->r, 60) ? "[[2, 0.5], [0.5, 1]]" : "eye(%i)"); break;
    case TYPE_CORR_CHOLESKY: expand(g, "cholesky([[1, 0.5], [0.5, 1]])"); break;
    default: expand(g, PICK(g, reals)); break;
    }
}

static void add_call(Gen *g, const Callable *c) {
    int n = c->least + rng_below(g->r, c->most - c->least + 1) + (rng_chance(g->r, 3) ? 1 : 0);
    buf_add(g->out, c->name);
    buf_add_char(g->out, '(');
    for (int k = 0; k < n; k++) {
        if (k) buf_add(g->out, ", ");
        if (c->params && k < c->most && rng_chance(g->r, 15)) buf_printf(g->out, "%s = ", c->params[k]);
        if (!c->types || k >= c->most || rng_chance(g->r, 12))
            expand(g, rng_chance(g->r, 70) ? (rng_chance(g->r, 50) ? "%n" : "%v") : "%a");
        else if (rng_chance(g->r, 15))
            buf_add_char(g->out, '['), add_number(g, c->types[k]), buf_add(g->out, ", "), add_number(g, c->types[k]),
                buf_add_char(g->out, ']');
        else
            add_number(g, c->types[k]);
    }
    buf_add_char(g->out, ')');
}

static void add_target(Gen *g) {
    add_fresh(g, g->nplates ? 'v' : 'n');
    int n = g->nplates - (rng_chance(g->r, 3) ? 1 : 0);
    for (int k = 0; k < n; k++) buf_printf(g->out, "%s%s", k ? ", " : "[", g->plates[k]);
    if (n > 0) buf_add_char(g->out, ']');
}

static void add_plate(Gen *g, bool over_data) {
    const char *data = over_data ? known(g, 'O') : NULL;
    int letter = rng_chance(g->r, 90) ? g->nplates : rng_below(g->r, 3);
    if (g->nplates < MAX_PLATES) snprintf(g->plates[g->nplates++], 16, "%c", "ijklmnpq"[letter]);
    const char *index = g->plates[g->nplates - 1];
    if (data) {
        snprintf(g->element_text, sizeof g->element_text, "%s[%s]", data, index);
        g->element = g->element_text;
        buf_printf(g->out, "%s in 1..len(%s)", index, data);
    } else {
        buf_printf(g->out, "%s in 1..", index);
        expand(g, "%i");
    }
}

/* Statements of a body; what it binds is forgotten behind it, mostly. */
static void add_body(Gen *g, const char *const *list, int n) {
    int names = g->nnames, count = 1 + rng_below(g->r, 3);
    for (int k = 0; k < count; k++) {
        int plates = g->nplates;
        const char *element = g->element;
        char text[sizeof g->element_text];
        memcpy(text, g->element_text, sizeof text);
        expand(g, g->depth > 5 || (int)g->out->length > g->budget ? list[0] : list[rng_below(g->r, n)]);
        buf_add_char(g->out, '\n');
        g->nplates = plates, g->element = element;
        memcpy(g->element_text, text, sizeof text);
        for (int i = 0; i < g->nfresh; i++) g->names[g->nnames++] = g->fresh[i];
        g->nfresh = 0;
    }
    if (rng_chance(g->r, 70)) g->nnames = names;
}

#define TERMINAL(g, list, n)                                                                                           \
    ((g)->depth > 6 || (int)(g)->out->length > (g)->budget ? (list)[rng_below((g)->r, n)] : PICK(g, list))

static void add_expression(Gen *g, char what) {
    if (g->wild && rng_chance(g->r, 6)) what = "nvmdkfrsa"[rng_below(g->r, 9)];
    const char *name = what != 'a' && rng_chance(g->r, g->depth > 3 ? 60 : 35) ? known(g, what) : NULL;
    if (name) {
        buf_add(g->out, name);
        return;
    }
    switch (what) {
    case 'n': expand(g, TERMINAL(g, NUMBERS, 4)); break;
    case 'v': expand(g, TERMINAL(g, VECTORS, 1)); break;
    case 'm': expand(g, TERMINAL(g, MATRICES, 1)); break;
    case 'd': expand(g, TERMINAL(g, DISTS, 3)); break;
    case 'k': expand(g, TERMINAL(g, DISCRETE, 2)); break;
    case 'f': expand(g, TERMINAL(g, FUNCTIONS, 1)); break;
    case 'r': expand(g, TERMINAL(g, RECORDS, 1)); break;
    case 's': expand(g, TERMINAL(g, STRINGS, 3)); break;
    default: expand(g, TERMINAL(g, ANY, 4)); break;
    }
}

static void add_model_use(Gen *g, char holds) {
    const char *name = known(g, holds);
    buf_add(g->out, name ? name : "m");
    if (rng_chance(g->r, 25))
        buf_add(g->out, "("), expand(g, rng_chance(g->r, 50) ? "%n" : "%v"), buf_add_char(g->out, ')');
}

static void expand(Gen *g, const char *format) {
    g->depth++;
    for (const char *s = format; *s; s++) {
        if (*s != '%' || s[1] == ' ') {
            buf_add_char(g->out, *s);
            continue;
        }
        switch (*++s) {
        case 'n':
        case 'v':
        case 'm':
        case 'd':
        case 'k':
        case 'f':
        case 'r':
        case 's':
        case 'a': add_expression(g, *s); break;
        case 'i': {
            if (g->nplates && rng_chance(g->r, 35))
                buf_add(g->out, g->plates[rng_below(g->r, g->nplates)]);
            else if (g->wild && rng_chance(g->r, 5))
                buf_add(g->out, nasty_number(g->r));
            else
                buf_printf(g->out, "%d", rng_chance(g->r, 6) ? rng_below(g->r, 40) - 5 : 1 + rng_below(g->r, 3));
            break;
        }
        case 'l': buf_add(g->out, g->wild ? nasty_number(g->r) : "0.7"); break;
        case 'N': add_fresh(g, 'n'); break;
        case 'V': add_fresh(g, 'v'); break;
        case 'M': add_fresh(g, 'm'); break;
        case 'F': add_fresh(g, 'f'); break;
        case 'R': add_fresh(g, 'r'); break;
        case 'I': add_fresh(g, 'n'); break;
        case 'T': add_target(g); break;
        case 'x':
            if (g->v->nfunctions)
                add_call(g, &g->v->functions[rng_below(g->r, g->v->nfunctions)]);
            else
                buf_add(g->out, "1");
            break;
        case 'D':
            if (g->v->ndists)
                add_call(g, &g->v->dists[rng_below(g->r, g->v->ndists)]);
            else
                buf_add(g->out, "Normal(0, 1)");
            break;
        case 'A':
        case 'G': add_model_use(g, *s); break;
        case 'P': add_plate(g, false); break;
        case 'O': add_plate(g, true); break;
        case 'o':
            if (g->element)
                buf_add(g->out, g->element);
            else
                add_target(g);
            break;
        case 'e': {
            const char *name = known(g, rng_chance(g->r, 60) ? 'n' : 'v');
            buf_add(g->out, name ? name : "mu");
            break;
        }
        case 'S':
        case 'B': {
            for (int i = 0; i < g->nfresh; i++)
                g->names[g->nnames++] = g->fresh[i]; /* a loop's index, a function's name */
            g->nfresh = 0;
            if (*s == 'S')
                add_body(g, IN_MODEL, sizeof IN_MODEL / sizeof *IN_MODEL);
            else
                add_body(g, IN_FUNCTION, sizeof IN_FUNCTION / sizeof *IN_FUNCTION);
            break;
        }
        default: buf_add_char(g->out, *s); break;
        }
    }
    g->depth--;
}

static void settle(Gen *g) {
    buf_add_char(g->out, '\n');
    for (int i = 0; i < g->nfresh; i++) g->names[g->nnames++] = g->fresh[i];
    g->nfresh = 0, g->nplates = 0, g->depth = 0, g->element = NULL;
}

/* The model's lines again: latents with other distributions, observations and factors left out. */
static void add_guide(Gen *g, const char *model, const char *body, size_t n) {
    char *text = strndup(body, n);
    buf_printf(g->out, "guide ");
    add_fresh(g, 'G');
    buf_printf(g->out, " for %s%s {\n", model, rng_chance(g->r, 20) ? " with auto_normal()" : "");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *sample = strstr(line, " ~ ");
        bool effect = strncmp(line, "observe", 7) == 0 || strncmp(line, "factor", 6) == 0 || strstr(line, " := ") ||
                      line[0] == 'y';
        if (effect && !rng_chance(g->r, 5)) continue;
        if (sample && !effect && rng_chance(g->r, 60))
            buf_printf(g->out, "%.*s ~ Normal(0, 1)\n", (int)(sample - line), line);
        else if (!rng_chance(g->r, 3))
            buf_printf(g->out, "%s\n", line);
    }
    buf_add(g->out, "}");
    settle(g);
    free(text);
}

static void add_model(Gen *g) {
    int names = g->nnames;
    buf_add(g->out, "model ");
    add_fresh(g, 'A');
    char model[16] = "m";
    if (g->nfresh) memcpy(model, g->fresh[0].text, sizeof model);
    buf_add(g->out, rng_chance(g->r, 20) ? "(x) {\n" : " {\n");
    size_t from = g->out->length;
    int parts = 1 + rng_below(g->r, 4);
    for (int k = 0; k < parts; k++) expand(g, "%S");
    size_t n = g->out->length - from;
    buf_add(g->out, "}");
    settle(g);
    (void)names;
    if (!rng_chance(g->r, 40)) return;
    char *body = strndup(g->out->text + from, n);
    add_guide(g, model, body, n);
    free(body);
}

void generate_program(Rng *r, const Vocabulary *v, Buf *out) {
    Gen *g = calloc(1, sizeof *g);
    *g = (Gen){.r = r, .v = v, .out = out, .budget = 200 + rng_below(r, 2500), .wild = rng_chance(r, 50)};
    buf_add(out, "");
    int n = 1 + rng_below(r, 3);
    for (int k = 0; k < n; k++) {
        buf_add(out, "data ");
        add_fresh(g, 'O');
        expand(g, rng_chance(r, 70)   ? " = [%i, %i, %i]"
                  : rng_chance(r, 50) ? " = %v"
                                      : ": real[N] = [1, missing, 3, 4]");
        settle(g);
    }
    int statements = 1 + rng_below(r, 7), models = rng_chance(r, 65) ? 1 + rng_below(r, 2) : 0;
    for (int k = 0; k < statements && out->length < MOST_TEXT; k++) expand(g, PICK(g, TOP)), settle(g);
    for (int k = 0; k < models; k++) add_model(g);
    if (models && rng_chance(r, 75)) {
        buf_add(out, "fit = infer(");
        expand(g, rng_chance(r, 50) && known(g, 'G') ? "%A, %G" : "%A");
        expand(g, PICK(g, METHODS));
        buf_add(out, ")");
        settle(g);
        int uses = rng_below(r, 3);
        for (int k = 0; k < uses; k++) expand(g, PICK(g, AFTER_FIT)), settle(g);
    }
    while (rng_chance(r, 30) && out->length < MOST_TEXT) expand(g, PICK(g, TOP)), settle(g);
    free(g);
}
