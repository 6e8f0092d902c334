/* The command line and what it prints: options, reports, JSON lines, draws in files. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/draws.h"
#include "cli/json.h"
#include "cli/options.h"
#include "infer/report.h"
#include "io/data.h"
#include "suite.h"

/* -- Options -- */

static bool parse(Options *o, Buf *why, const char *line) {
    static char copy[300];
    static char *argv[32];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    return options_parse(argc, argv, o, why);
}

START_TEST(options_are_read) {
    Options o;
    Buf why = {0};
    ck_assert(parse(&o, &why, "ppl run a.ppl --data x=b.npy --data c.json --seed=7 --threads 3 --json --strict --out d.csv"));
    ck_assert_str_eq(o.command->name, "run");
    ck_assert_str_eq(o.file, "a.ppl");
    ck_assert_int_eq(o.ndata, 2);
    ck_assert_str_eq(o.data[1], "c.json");
    ck_assert_uint_eq(o.seed, 7);
    ck_assert_int_eq(o.threads, 3);
    ck_assert(o.json && o.strict && !o.quiet);
    ck_assert_str_eq(o.out, "d.csv");
    options_free(&o);
    ck_assert(parse(&o, &why, "ppl a.ppl --quiet"));
    ck_assert_str_eq(o.command->name, "run");
    ck_assert(parse(&o, &why, "ppl"));
    ck_assert_str_eq(o.command->name, "help");
    ck_assert(parse(&o, &why, "ppl check --help"));
    ck_assert_str_eq(o.file, "check");
    ck_assert(parse(&o, &why, "ppl run -- -odd.ppl"));
    ck_assert_str_eq(o.file, "-odd.ppl");
    ck_assert(parse(&o, &why, "ppl run a.ppl --seed 18446744073709551615"));
    ck_assert_uint_eq(o.seed, UINT64_MAX);
    ck_assert_ptr_null(why.text);
}
END_TEST

START_TEST(wrong_options_are_explained) {
    static const struct { const char *line, *words; } cases[] = {
        {"ppl rnu a.ppl", "did you mean 'run'"},
        {"ppl frobnicate", "there is no command 'frobnicate'"},
        {"ppl run", "needs a file"},
        {"ppl run a.ppl b.ppl", "takes one FILE"},
        {"ppl run a.ppl --sede 3", "did you mean --seed?"},
        {"ppl run a.ppl --sede=3", "no option --sede"},
        {"ppl check a.ppl --threads 2", "`ppl check` takes no option --threads"},
        {"ppl run a.ppl --seed", "--seed needs a value"},
        {"ppl run a.ppl --seed -1", "a whole number from 0"},
        {"ppl run a.ppl --seed 18446744073709551616", "a whole number from 0"},
        {"ppl run a.ppl --seed 3x", "'3x' came"},
        {"ppl run a.ppl --threads 0", "from 1 to 1024"},
        {"ppl run a.ppl --out draws.txt", "ends in .csv"},
        {"ppl run a.ppl --out .csv", "ends in .csv"},
        {"ppl run a.ppl --plot fit.pdf", "ends in .png or .svg"},
        {"ppl run a.ppl --precision half", "single or double"},
        {"ppl run a.ppl --json=yes", "takes no value"},
        {"ppl run a.ppl --data =x", "NAME=FILE"},
        {"ppl version now", "takes no argument"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Options o;
        Buf why = {0};
        ck_assert_msg(!parse(&o, &why, cases[k].line), "accepted: %s", cases[k].line);
        ck_assert_msg(strstr(why.text, cases[k].words) != NULL, "%s: %s", cases[k].line, why.text);
        ck_assert_int_eq(why.text[why.length - 1], '\n');
        buf_free(&why);
        options_free(&o);
    }
}
END_TEST

/* -- Reports -- */

static const double mean1[] = {4.4}, sd1[] = {3.32}, low1[] = {-1.02}, mid1[] = {4.41}, high1[] = {9.9};
static const double ess1[] = {4012.3}, rhat1[] = {1.0004};
static const double mean6[] = {1, 2, 3, -40.123456, 5, 6e10}, sd6[] = {0.1, 0.2, 0.01, 0.3, NAN, 1};
static const double probabilities[] = {0.25, 0.75, 1, 0};
static const double draws1[] = {1, 2.5, -3}, draws6[] = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26};
static const char *notes[] = {"z is summed out"};

static FitReport some_report(FitVariable *v) {
    v[0] = (FitVariable){"mu", SHAPE_SCALAR, false, mean1, sd1, low1, mid1, high1, ess1, rhat1, draws1, 0};
    v[1] = (FitVariable){"x", shape2(2, 3), false, mean6, sd6, NULL, NULL, NULL, NULL, NULL, draws6, 0};
    v[2] = (FitVariable){.name = "z", .shape = shape2(2, 2), .summed_out = true, .mean = probabilities};
    return (FitReport){.model = "schools", .method = "svi", .guide = "auto_mvn", .steps = 3400, .seconds = 0.214,
                       .stop = "converged", .elbo = -31.5237, .elbo_mcse = 0.0123, .khat = 0.31, .log_evidence = NAN,
                       .log_density = NAN, .verdict = "it can be trusted", .reliable = true, .ndraws = 3,
                       .variables = v, .nvariables = 3, .notes = notes, .nnotes = 1};
}

START_TEST(a_report_is_aligned) {
    FitVariable v[3];
    FitReport r = some_report(v);
    Buf b = {0};
    Arena *a = arena_new();
    report_fit(a, &r, &b, REPORT_ALL);
    ck_assert_str_eq(b.text,
        "schools: svi with auto_mvn, 3400 steps in 0.21 s, converged\n"
        "ELBO -31.524 +- 0.012   k-hat 0.31 (good)\n"
        "\n"
        "variable     mean     sd     5%   50%   95%   ess   rhat\n"
        "mu          4.40   3.32   -1.02  4.41  9.90  4012  1.000\n"
        "x[1,1]      1.000  0.100   -     -     -        -  -\n"
        "x[1,2]      2.000  0.200   -     -     -        -  -\n"
        "x[1,3]      3.000  0.010   -     -     -        -  -\n"
        "x[2,1]    -40.123  0.300   -     -     -        -  -\n"
        "x[2,2]      5.000  -       -     -     -        -  -\n"
        "x[2,3]      6e+10  1.000   -     -     -        -  -\n"
        "\n"
        "probabilities       0       1\n"
        "z[1]           0.2500  0.7500\n"
        "z[2]           1.0000  0.0000\n"
        "\n"
        "note: z is summed out\n"
        "it can be trusted");
    arena_free(a);
    buf_free(&b);
}
END_TEST

START_TEST(long_variables_are_cut) {
    double many[100];
    for (int k = 0; k < 100; k++) many[k] = k + 1;
    FitVariable v = {.name = "θ", .shape = shape1(100), .mean = many};
    FitReport r = {.model = "m", .method = "map", .seconds = 0.001, .elbo = NAN, .elbo_mcse = NAN, .khat = NAN,
                   .log_evidence = NAN, .log_density = -2.5, .variables = &v, .nvariables = 1};
    Buf b = {0};
    Arena *a = arena_new();
    report_fit(a, &r, &b, REPORT_SHORT);
    ck_assert_ptr_nonnull(strstr(b.text, "variable     estimate\nθ[1] "));
    ck_assert_ptr_nonnull(strstr(b.text, "θ[6]                6\n... 92 more\nθ[99]              99\n"));
    ck_assert_ptr_nonnull(strstr(b.text, "--json"));
    ck_assert_ptr_nonnull(strstr(b.text, "log density -2.5"));
    ck_assert_ptr_null(strstr(b.text, "ELBO"));
    b.length = 0;
    report_fit(a, &r, &b, REPORT_ALL);
    ck_assert_ptr_nonnull(strstr(b.text, "θ[50] "));
    arena_free(a);
    buf_free(&b);
}
END_TEST

START_TEST(json_lines) {
    FitVariable v[3];
    FitReport r = some_report(v);
    Buf b = {0};
    json_add_fit(&b, &r);
    ck_assert_str_eq(b.text,
        "{\"fit\": {\"model\": \"schools\", \"method\": \"svi\", \"guide\": \"auto_mvn\", \"stop\": \"converged\", "
        "\"verdict\": \"it can be trusted\", \"steps\": 3400, \"seconds\": 0.214, \"elbo\": -31.5237, "
        "\"elbo_mcse\": 0.0123, \"khat\": 0.31, \"log_evidence\": null, \"log_density\": null, \"draws\": 3, "
        "\"reliable\": true, \"notes\": [\"z is summed out\"], \"variables\": {"
        "\"mu\": {\"shape\": [], \"mean\": 4.4, \"sd\": 3.32, \"q5\": -1.02, \"q50\": 4.41, \"q95\": 9.9, "
        "\"ess\": 4012.3, \"rhat\": 1.0004}, "
        "\"x\": {\"shape\": [2, 3], \"mean\": [[1, 2, 3], [-40.123456, 5, 60000000000]], "
        "\"sd\": [[0.1, 0.2, 0.01], [0.3, null, 1]], \"q5\": null, \"q50\": null, \"q95\": null, \"ess\": null, "
        "\"rhat\": null}, "
        "\"z\": {\"shape\": [2, 2], \"probabilities\": [[0.25, 0.75], [1, 0]]}}}}\n");
    b.length = 0;
    json_add_print(&b, "a \"b\"\n\xff");
    ck_assert_str_eq(b.text, "{\"print\": \"a \\\"b\\\"\\n\\ufffd\"}\n");
    buf_free(&b);
}
END_TEST

/* -- Draws in files -- */

static Ctx *ctx;
static char path[64];

static void write_some(void *arg) {
    FitVariable v[3];
    FitReport r = some_report(v);
    *(bool *)arg = draws_write(ctx, ctx->session, &r, path);
}

static void write_draws(const char *ending) {
    Error caught = {0};
    bool written = false;
    snprintf(path, sizeof path, "/tmp/test_cli_%ld%s", (long)getpid(), ending);
    ck_assert_msg(ctx_protect(ctx, write_some, &written, &caught), "%s", caught.message);
    ck_assert(written);
}

static void read_back(void *arg) { *(Data **)arg = data_read(ctx, ctx->session, path, SPAN_NONE); }

static Data *read_draws(void) {
    Error caught = {0};
    Data *d = NULL;
    ck_assert_msg(ctx_protect(ctx, read_back, &d, &caught), "%s", caught.message);
    unlink(path);
    return d;
}

START_TEST(draws_as_a_table) {
    ctx = ctx_new();
    write_draws(".csv");
    char text[400];
    FILE *f = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    unlink(path);
    ck_assert_str_eq(text, "mu,x.1.1,x.2.1,x.1.2,x.2.2,x.1.3,x.2.3\n"
                           "1,1,4,2,5,3,6\n2.5,11,14,12,15,13,16\n-3,21,24,22,25,23,26\n");
    ctx_free(ctx);
}
END_TEST

START_TEST(draws_as_arrays) {
    ctx = ctx_new();
    write_draws(".json");
    Data *d = read_draws();
    const DataItem *x = data_find(d, "x");
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(x->value->shape.rank, 3);
    ck_assert_double_eq(tensor_item(x->value, 17), 26);
    ck_assert_ptr_null(data_find(d, "z"));
    write_draws(".npy");
    d = read_draws();
    ck_assert_int_eq(d->kind, DATA_ARRAY);
    ck_assert(shape_equal(d->items[0].value->shape, shape2(3, 7)));
    ck_assert_double_eq(tensor_item(d->items[0].value, 2), 4);
    ctx_free(ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cli");
    TCase *t = tcase_create("cli");
    tcase_add_test(t, options_are_read);
    tcase_add_test(t, wrong_options_are_explained);
    tcase_add_test(t, a_report_is_aligned);
    tcase_add_test(t, long_variables_are_cut);
    tcase_add_test(t, json_lines);
    tcase_add_test(t, draws_as_a_table);
    tcase_add_test(t, draws_as_arrays);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
