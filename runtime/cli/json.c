#include "cli/json.h"

#include <math.h>

static void add_key(Buf *out, const char *key, bool *first) {
    if (!*first) buf_add(out, ", ");
    *first = false;
    buf_add_json_string(out, key);
    buf_add(out, ": ");
}

static void add_number(Buf *out, double x) {
    if (isfinite(x))
        buf_add_double(out, x);
    else
        buf_add(out, "null");
}

static void add_text(Buf *out, const char *text) {
    if (text)
        buf_add_json_string(out, text);
    else
        buf_add(out, "null");
}

/* x: the numbers from this dimension on; gives those behind. */
static const double *add_array(Buf *out, Shape shape, int dim, const double *x) {
    if (dim == shape.rank) {
        add_number(out, *x);
        return x + 1;
    }
    buf_add_char(out, '[');
    for (int64_t i = 0; i < shape.dim[dim]; i++) {
        if (i) buf_add(out, ", ");
        x = add_array(out, shape, dim + 1, x);
    }
    buf_add_char(out, ']');
    return x;
}

static void add_shape(Buf *out, Shape shape) {
    buf_add_char(out, '[');
    for (int k = 0; k < shape.rank; k++) buf_printf(out, "%s%lld", k ? ", " : "", (long long)shape.dim[k]);
    buf_add_char(out, ']');
}

static void add_variable(Buf *out, const FitVariable *v) {
    const struct { const char *key; const double *numbers; } moments[] = {
        {"mean", v->mean}, {"sd", v->sd},   {"q5", v->q5},     {"q50", v->q50},
        {"q95", v->q95},   {"ess", v->ess}, {"rhat", v->rhat},
    };
    bool first = true;
    buf_add_char(out, '{');
    add_key(out, "shape", &first);
    add_shape(out, v->shape);
    if (v->summed_out) {
        add_key(out, "probabilities", &first);
        add_array(out, v->shape, 0, v->mean);
    }
    for (size_t k = 0; k < sizeof moments / sizeof *moments && !v->summed_out; k++) {
        add_key(out, moments[k].key, &first);
        if (moments[k].numbers)
            add_array(out, v->shape, 0, moments[k].numbers);
        else
            buf_add(out, "null");
    }
    buf_add_char(out, '}');
}

static void add_texts(Buf *out, const char **texts, int n) {
    buf_add_char(out, '[');
    for (int k = 0; k < n; k++) {
        if (k) buf_add(out, ", ");
        buf_add_json_string(out, texts[k]);
    }
    buf_add_char(out, ']');
}

void json_add_print(Buf *out, const char *text) {
    buf_add(out, "{\"print\": ");
    buf_add_json_string(out, text);
    buf_add(out, "}\n");
}

void json_add_fit(Buf *out, const FitReport *r) {
    const struct { const char *key, *text; } texts[] = {
        {"model", r->model}, {"method", r->method}, {"guide", r->guide}, {"stop", r->stop}, {"verdict", r->verdict}};
    const struct { const char *key; double x; } numbers[] = {
        {"steps", (double)r->steps}, {"seconds", r->seconds}, {"elbo", r->elbo}, {"elbo_mcse", r->elbo_mcse},
        {"khat", r->khat}, {"log_evidence", r->log_evidence}, {"log_density", r->log_density},
        {"draws", (double)r->ndraws}};
    bool first = true;
    buf_add(out, "{\"fit\": {");
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        add_key(out, texts[k].key, &first);
        add_text(out, texts[k].text);
    }
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        add_key(out, numbers[k].key, &first);
        add_number(out, numbers[k].x);
    }
    add_key(out, "reliable", &first);
    buf_add(out, r->reliable ? "true" : "false");
    add_key(out, "notes", &first);
    add_texts(out, r->notes, r->nnotes);
    add_key(out, "variables", &first);
    buf_add_char(out, '{');
    bool first_variable = true;
    for (int k = 0; k < r->nvariables; k++) {
        add_key(out, r->variables[k].name, &first_variable);
        add_variable(out, &r->variables[k]);
    }
    buf_add(out, "}}}\n");
}
