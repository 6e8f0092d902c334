#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ctx.h"
#include "base/random.h"
#include "base/strings.h"
#include "lang/dump.h"
#include "lang/lang.h"
#include "suite.h"

static const BuiltinName BUILTINS[] = {
    {"Normal", "(loc, scale)"}, {"HalfNormal", "(scale)"}, {"HalfCauchy", "(scale)"}, {"Beta", "(a, b)"},
    {"Bernoulli", "(p = , logits = )"}, {"Gamma", "(shape, rate)"}, {"Poisson", "(rate)"}, {"LogNormal", "(loc, scale)"},
    {"Categorical", "(p = , logits = )"}, {"Dirichlet", "(alpha)"}, {"infer", "(model, guide = , ...)"},
    {"print", "(...)"}, {"adam", "(rate = )"}, {"exp", "(x)"}, {"log", "(x)"}, {"log1p", "(x)"}, {"len", "(x)"},
    {"nrow", "(x)"}, {"where", "(condition, a, b)"}, {"reshape", "(x, ...)"}, {"dense", "(x, n)"}, {"softplus", "(x)"},
    {"elu", "(x)"}, {"concat", "(...)"}, {"layer_norm", "(x)"}, {"sigmoid", "(x)"}, {"zeros", "(...)"},
    {"gradient", "(v)"}, {"error", "(x)"}, {"mean", "(x)"}, {"sd", "(x)"}, {"sum", "(x)"}, {"auto_mvn", "()"},
    {"auto_normal", "()"}, {"map", NULL}, {"importance", "(n)"}, {"refinement", "(fit, m, q)"},
    {"elbo", "(fit, m, q, samples = )"}, {"log_evidence", "(fit, m = , q = , samples = )"},
    {"posterior", "(fit, q, m = , n = )"}, {"simulate", "(m, n = )"}, {"shape", "(x)"}, {"save", "(path)"},
    {"logpdf", "(d, x)"}, {"draw", "(d)"}, {"lift", "(net, prior)"},
};

/* -- Loading texts -- */
typedef struct Session {
    Ctx *ctx;
    Globals *globals;
    LoadOptions options;
    Buf errors; /* "line: message | hint" lines */
    Module *module;
} Session;

static Session session_new(void) {
    Session s = {.ctx = ctx_new()};
    s.globals = lang_globals_new(s.ctx, BUILTINS, sizeof BUILTINS / sizeof *BUILTINS);
    return s;
}

static void session_free(Session *s) {
    buf_free(&s->errors);
    ctx_free(s->ctx);
}

static bool session_load(Session *s, const char *name, const char *text, size_t length) {
    Diagnostics d = {0};
    int file = ctx_add_source(s->ctx, name, text, length);
    s->module = lang_load(s->ctx, s->globals, file, &s->options, &d);
    buf_free(&s->errors);
    s->errors = (Buf){0};
    buf_add(&s->errors, "");
    for (int i = 0; i < d.n; i++) {
        const Error *e = &d.list[i].error;
        buf_printf(&s->errors, "%d: %s | %s\n", e->span.line, e->message, e->hint ? e->hint : "");
        ctx_render(s->ctx, s->ctx->session, "error", e);
    }
    ck_assert_msg((s->module != NULL) == (d.nerrors == 0), "a module and errors, or neither");
    return s->module != NULL;
}

static bool session_line(Session *s, const char *text) { return session_load(s, "<test>", text, strlen(text)); }

static void expect_fine(const char *text) {
    Session s = session_new();
    if (!session_line(&s, text))
        ck_abort_msg("an error in:\n%s\n%s", text, s.errors.text);
    session_free(&s);
}

/* The first line of the errors begins with `line` and holds all the words. */
static void expect_words(Session *s, const char *text, int line, const char *words) {
    char start[16], word[64];
    snprintf(start, sizeof start, "%d: ", line);
    if (strncmp(s->errors.text, start, strlen(start)) != 0)
        ck_abort_msg("the error is not on line %d of:\n%s\n%s", line, text, s->errors.text);
    char *end = strchr(s->errors.text, '\n');
    *end = 0;
    for (const char *w = words; sscanf(w, " %63s", word) == 1; w = strstr(w, word) + strlen(word))
        if (!strstr(s->errors.text, word))
            ck_abort_msg("`%s` is not in the message about:\n%s\n%s", word, text, s->errors.text);
    *end = '\n';
}

static void expect_error(const char *text, int line, const char *words) {
    Session s = session_new();
    if (session_line(&s, text))
        ck_abort_msg("no error in:\n%s", text);
    expect_words(&s, text, line, words);
    session_free(&s);
}

static void expect_only_error(const char *text, int line, const char *words) {
    Session s = session_new();
    session_line(&s, text);
    if (!*s.errors.text || strchr(s.errors.text, '\n') != strrchr(s.errors.text, '\n'))
        ck_abort_msg("not one error in:\n%s\n%s", text, s.errors.text);
    expect_words(&s, text, line, words);
    session_free(&s);
}

/* The tree of a text, its white space as single blanks. */
static void expect_tree(const char *text, const char *tree) {
    Session s = session_new();
    Buf b = {0}, flat = {0};
    if (!session_line(&s, text))
        ck_abort_msg("an error in:\n%s\n%s", text, s.errors.text);
    lang_dump(s.module, &b);
    buf_add(&flat, "");
    for (const char *c = strtok(b.text, " \n"); c; c = strtok(NULL, " \n"))
        buf_printf(&flat, "%s%s", flat.length ? " " : "", c);
    ck_assert_str_eq(flat.text, tree);
    buf_free(&b);
    buf_free(&flat);
    session_free(&s);
}

/* `names` are bound first, so that the expression resolves. */
static void expect_expression(const char *expression, const char *tree) {
    static const char HEAD[] = "a = 1; b = 2; c = 3; f = 4; r = 5; x = 6\n";
    static const char HEAD_TREE[] = "(= a 1) (= b 2) (= c 3) (= f 4) (= r 5) (= x 6) (= y ";
    char text[512], whole[512];
    snprintf(text, sizeof text, "%sy = %s", HEAD, expression);
    snprintf(whole, sizeof whole, "%s%s)", HEAD_TREE, tree);
    expect_tree(text, whole);
}

/* -- Grammar -- */
static const struct { const char *text, *tree; } EXPRESSIONS[] = {
    {"a + b * c", "(+ a (* b c))"},
    {"a * b + c", "(+ (* a b) c)"},
    {"a - b - c", "(- (- a b) c)"},
    {"a / b * c % a @ b", "(@ (% (* (/ a b) c) a) b)"},
    {"-a ^ b", "(neg (^ a b))"},
    {"a ^ -b", "(^ a (neg b))"},
    {"a ^ -b * c", "(* (^ a (neg b)) c)"},
    {"a ^ b ^ c", "(^ a (^ b c))"},
    {"-a * b", "(* (neg a) b)"},
    {"a - -b", "(- a (neg b))"},
    {"-x[1].m(2)", "(neg (call (field (index x 1) m) 2))"},
    {"1..a + 1", "(.. 1 (+ a 1))"},
    {"a..b == c", "(== (.. a b) c)"},
    {"a < b + 1", "(< a (+ b 1))"},
    {"not a == b and c or a", "(or (and (not (== a b)) c) a)"},
    {"a or b and not c", "(or a (and b (not c)))"},
    {"a + b |> f", "(pipe f (+ a b))"},
    {"a |> f(b)", "(pipe f a b)"},
    {"a |> f |> r.g", "(pipe (field r g) (pipe f a))"},
    {"a or b |> f", "(pipe f (or a b))"},
    {"x -> x |> f", "(-> (x) (pipe f x))"},
    {"(a, b) -> a + b", "(-> (a b) (+ a b))"},
    {"() -> 1", "(-> () 1)"},
    {"a -> b -> a + b", "(-> (a) (-> (b) (+ a b)))"},
    {"x -> {m: x}", "(-> (x) (record (m x)))"},
    {"a |> (x -> x + 1)", "(pipe (-> (x) (+ x 1)) a)"},
    {"f(a, b = 2)", "(call f a b = 2)"},
    {"f()(1)[2]", "(index (call (call f) 1) 2)"},
    {"x[:, 1, a..b]", "(index x : 1 (.. a b))"},
    {"[[1, 2], [3, 4]]", "(array (array 1 2) (array 3 4))"},
    {"[]", "(array)"},
    {"[1, -2, -0, -inf, - -3]", "(array 1 (neg 2) (neg 0) (neg inf) (neg (neg 3)))"},
    {"[1, -2, x, 3, [4, -5]]", "(array 1 (neg 2) x 3 (array 4 (neg 5)))"},
    {"[1, -2, -0, nan, 1e3]", "(array 1 (neg 2) (neg 0) nan 1000)"},
    {"[1, 2,]", "(array 1 2)"},
    {"(a, b, c)", "(tuple a b c)"},
    {"{m: 1, sd: 2}", "(record (m 1) (sd 2))"},
    {"{}", "(record)"},
    {"if a { b } else { c }", "(if a (do b) (do c))"},
    {"if a { b } else if b { c } else { 1 }", "(if a (do b) (do (if b (do c) (do 1))))"},
    {"1 + if a { b } else { c } * 2", "(+ 1 (* (if a (do b) (do c)) 2))"},
    {"missing[16, 784]", "(index missing 16 784)"},
    {"[true, false, missing]", "(array true false missing)"},
    {"[1, 2.5, .5, 1e-3, 1_000, 2.5e2, inf, nan]", "(array 1 2.5 0.5 0.001 1000 250 inf nan)"},
    {"1..3", "(.. 1 3)"},
    {"1.5..2.5", "(.. 1.5 2.5)"},
    {"\"a\\n\\\"b\\\\\"", "\"a\\n\\\"b\\\\\""},
    {"x.data.model", "(field (field x data) model)"},
};

START_TEST(expressions) { expect_expression(EXPRESSIONS[_i].text, EXPRESSIONS[_i].tree); }
END_TEST

static const struct { const char *text, *tree; } LINES[] = {
    /* inside brackets, after operators, commas and opening braces, before else and |> */
    {"y = (1\n+\n\n2)", "(= y (+ 1 2))"},
    {"y = (1\n+ 2)", "(= y (+ 1 2))"},
    {"y =\n1 +\n2", "(= y (+ 1 2))"},
    {"y = [1,\n 2\n]", "(= y (array 1 2))"},
    {"y = {\n  m: 1,\n  s:\n 2\n}", "(= y (record (m 1) (s 2)))"},
    {"y = 1\n  |> exp\n  # a comment\n\n  |> log", "(= y (pipe log (pipe exp 1)))"},
    {"y = not\ntrue and\nfalse", "(= y (and (not true) false))"},
    {"y = 1 # a comment\nz = 2", "(= y 1) (= z 2)"},
    {"y = 1;z = 2;;\n;w = 3", "(= y 1) (= z 2) (= w 3)"},
    /* a line that begins with - is a statement of its own */
    {"y = 1\n-y", "(= y 1) (neg y)"},
    {"if true { 1 }\nelse { 2 }", "(if true (do 1) (do 2))"},
    {"if true { 1 }\n# a comment\nelse if false { 2 }\n\nelse { 3 }", "(if true (do 1) (do (if false (do 2) (do 3))))"},
    {"for i in\n1..2\n{ m: i }", NULL},
    {"if true {\n}", "(if true (do))"},
    {"y = \r\n 1\r\nz = 2\r\n", "(= y 1) (= z 2)"},
    /* the innermost bracket decides: a block inside parentheses is line-based, a bracket in it is not */
    {"y = exp(if true {\n a = 1\n -a\n} else {\n 2 })", "(= y (call exp (if true (do (= a 1) (neg a)) (do 2))))"},
    {"y = exp(if true {\n a = (1\n - 2)\n a } else { 2 })",
     "(= y (call exp (if true (do (= a (- 1 2)) a) (do 2))))"},
    {"y = {m: if true {\n a = 1\n a\n} else { 2 }\n, s: 3}", "(= y (record (m (if true (do (= a 1) a) (do 2))) (s 3)))"},
    /* blocks and records */
    {"fn f(x) {\n {m: x}\n}", "(fn f (x) (do (record (m x))))"},
    {"fn f(x) { {m: x} }", "(fn f (x) (do (record (m x))))"},
    {"fn f(x) { return {m: x} }", "(fn f (x) (do (return (record (m x)))))"},
    {"fn f(x) { a = 1; {m: x} }", "(fn f (x) (do (= a 1) (record (m x))))"},
    {"f = x -> {m: x}; print(f({m: 1}))", "(= f (-> (x) (record (m x)))) (call print (call f (record (m 1))))"},
    {"", ""},
    {"\n\n# nothing\n", ""},
    {"\xEF\xBB\xBFy = 1", "(= y 1)"},
};

START_TEST(lines) {
    if (LINES[_i].tree)
        expect_tree(LINES[_i].text, LINES[_i].tree);
    else
        expect_error(LINES[_i].text, 2, "expected {");
}
END_TEST

static const struct { const char *text, *tree; } STATEMENTS[] = {
    {"(a, b) = exp(1)", "(= (a b) (call exp 1))"},
    {"x[1] = 2\nx[1, 2] = 3", "(= (index x 1) 2) (= (index x 1 2) 3)"},
    {"data x", "(data x)"},
    {"data x: real[N, D]", "(data x (: real N D))"},
    {"data x: int(0, 1)[N] = [1]", "(data x (: int (bounds 0 1) N) (array 1))"},
    {"fn f(a, b = 1) = a", "(fn f (a (b 1)) a)"},
    {"net f(x) {\n param w: positive[2] = 1\n w * x\n}", "(net f (x) (do (param w (: positive 2) 1) (* w x)))"},
    {"model m { }", "(model m () (do))"},
    {"model m(x) { x ~ Normal(0, 1); z ~ Normal(0, 1)[2] }",
     "(model m (x) (do (~ observed x (call Normal 0 1)) (~ latent z (index (call Normal 0 1) 2))))"},
    {"model m { observe 1 + 2 ~ Normal(0, 1); factor -1 }", "(model m () (do (observe (+ 1 2) (call Normal 0 1)) (factor (neg 1))))"},
    {"model m { a ~ Normal(0, 1); b := a }", "(model m () (do (~ latent a (call Normal 0 1)) (:= b a)))"},
    {"model m(x) { }\nguide q(x) for m with auto_normal() { a = 1 }",
     "(model m (x) (do)) (guide q (x) (for m) (with (call auto_normal)) (do (= a 1)))"},
    {"model m { }\nguide q for m with auto_mvn()", "(model m () (do)) (guide q () (for m) (with (call auto_mvn)) (do))"},
    {"model m { plate i in 1..2, j in 1..3 { z[i, j] ~ Normal(0, 1) } }",
     "(model m () (do (plate (i (.. 1 2)) (j (.. 1 3)) (do (~ latent (index z i j) (call Normal 0 1))))))"},
    {"model m { }\nguide q for m { a = 1; refine a for t in 1..5 { a = a + t } }",
     "(model m () (do)) (guide q () (for m) (do (= a 1) (refine (a) (t (.. 1 5)) (do (= a (+ a t))))))"},
    {"model m { }\nguide q for m { a = 1; b = 2; refine (a, b) for t in 1..5 { } }",
     "(model m () (do)) (guide q () (for m) (do (= a 1) (= b 2) (refine (a b) (t (.. 1 5)) (do))))"},
    {"dist D(p: unit, r: positive = 1) on int(0, inf) {\n logpdf(k) = k\n draw() { return p }\n}",
     "(dist D ((p (: unit)) (r (: positive) 1)) (: int (bounds 0 inf)) (logpdf (k) k) (draw () (do (return p))))"},
    {"while true { }", "(while true (do))"},
    {"for i in [1, 2] { print(i) }", "(for i (array 1 2) (do (call print i)))"},
    {"fn f() { return }", "(fn f () (do (return)))"},
    /* contextual keywords are names elsewhere */
    {"data = 1; fn = data; net = fn", "(= data 1) (= fn data) (= net fn)"},
    {"observe = 1; factor = observe; refine = factor", "(= observe 1) (= factor observe) (= refine factor)"},
    {"on = 1; with = on; import = with\nprint(import)", "(= on 1) (= with on) (= import with) (call print import)"},
    {"data model: real", "(data model (: real))"},
    {"fn plate(param, dist) = param + dist", "(fn plate (param dist) (+ param dist))"},
    {"model guide(on) { with ~ Normal(on, 1) }", "(model guide (on) (do (~ latent with (call Normal on 1))))"},
    {"x = {data: 1, model: 2}\nprint(x.model)", "(= x (record (data 1) (model 2))) (call print (field x model))"},
    {"for on in 1..2 { }", "(for on (.. 1 2) (do))"},
    {"data θ: real\nμ = θ", "(data θ (: real)) (= μ θ)"},
};

START_TEST(statements) { expect_tree(STATEMENTS[_i].text, STATEMENTS[_i].tree); }
END_TEST

static const struct { const char *text; int line; const char *words; } SYNTAX_ERRORS[] = {
    {"tau = exp(5))", 1, "expected end of the line found ) no ( open"},
    {"x = 1\ny = [1 2]", 2, "expected , found 2"},
    {"x = (1,\n2\ny = 3", 3, "expected ) found y ( line 1 open"},
    {"fn f(x) {\n x", 2, "expected } found end of the file { line 1 never closed"},
    {"}", 1, "expected statement found } no { open"},
    {"if x = 3 { }", 1, "expected found = == compares"},
    {"x = 2 ** 3", 1, "** ^"},
    {"def f(x): x", 1, "fn f(x)"},
    {"let x = 3", 1, "expected found x without a keyword"},
    {"x = 1 // 2", 1, "comments begin with #"},
    {"x = true && false", 1, "&& and"},
    {"x += 1", 1, "+= x = x + 1"},
    {"x = 'a'", 1, "' strings"},
    {"x = \"abc", 1, "not closed"},
    {"x = \"a\\qb\"", 1, "\\q escapes"},
    {"x = 1.", 1, "1. 1.0"},
    {"x = 3abc", 1, "3abc 2 * x"},
    {"x = 1e999", 1, "1e999 inf"},
    {"x = 1 < 2 < 3", 1, "expected found < not chained"},
    {"x = 1..2..3", 1, "expected found .."},
    {"x = 1 + y -> y", 1, "expected found ->"},
    {"x = [1, 2][1:2]", 1, "expected found : 1..3"},
    {"x = 1 − 2", 1, "− U+2212 -"},
    {"x = “a”", 1, "“ \""},
    {"model m\n{\n a ~ Normal(0, 1)\n}", 1, "expected found end of the line head"},
    {"x = 1\n+ 2", 2, "expected found + goes on"},
    {"if true { 1 } else\n", 1, "expected { found end of the line"},
    {"y = if true { 1 }", 1, "expected else"},
    {"x = 1 |> 2", 1, "expected function |>"},
    {"x.y = 1", 1, "expected name left record"},
    {"x + 1 = 2", 1, "expected found = left"},
    {"(a, 3) -> 2", 1, "expected parameter"},
    {"data x: rael", 1, "expected type rael real?"},
    {"data x: unit(0, 1)", 1, "unit bounds"},
    {"x = {a: 1, a: 2}", 1, "two fields a"},
    {"fn f(x: real) = x", 1, "x f type"},
    {"fn if(x) = x", 1, "expected name found if"},
    {"_x = 1", 1, "_x reserved library"},
    {"x = 1 ? 2", 1, "? not known"},
    {"x = \x01", 1, "control character"},
    {"data x: real on = 3", 1, "expected found on"},
};

START_TEST(syntax_errors) {
    expect_only_error(SYNTAX_ERRORS[_i].text, SYNTAX_ERRORS[_i].line, SYNTAX_ERRORS[_i].words);
}
END_TEST

START_TEST(several_syntax_errors_in_one_run) {
    Session s = session_new();
    ck_assert(!session_line(&s, "x = )\ny = 1\nmodel m {\n z ~ \n }\n w ~ Normal(0, 1\n}\nfn f(1) {\n 1 }\nz = 3 4\n"));
    static const int want[] = {1, 5, 7, 8, 10};
    const char *line = s.errors.text;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++, line = strchr(line, '\n') + 1)
        ck_assert_msg(strchr(line, '\n') && atoi(line) == want[i], "line %d: %s", want[i], s.errors.text);
    ck_assert_msg(*line == 0, "%s", s.errors.text);
    session_free(&s);
}
END_TEST

/* -- Static checks -- */
#define MODEL(body) "data y = [1, 2]\nmodel m {\n" body "\n}\n"

static const struct { const char *text; int line; const char *words; } STATIC_ERRORS[] = {
    /* names */
    {"x = 1\nprint(xx)", 2, "xx not known x?"},
    {"theta = 1\nprint(thta)", 2, "thta theta?"},
    {"x = normal(0, 1)", 1, "normal Normal?"},
    {"x = True", 1, "True true?"},
    {"x <- 3", 1, "x not known bind ="},
    {"fn f(a) = a + b", 1, "b not known"},
    {MODEL("plate n in 1..2 { k = n }\n y ~ Normal(k, 1)"), 4, "k not known"},
    /* calls */
    {MODEL("y ~ Normal(0, sclae = 1)"), 3, "Normal sclae scale"},
    {"Normal(0, 1, 2)", 1, "Normal takes 2 3 loc, scale"},
    {"Normal(0)", 1, "Normal lacks scale"},
    {"Normal(0, loc = 1)", 1, "loc Normal twice"},
    {"Normal(loc = 0, 1)", 1, "without name first"},
    {"Normal(scale = 1, scale = 2, loc = 1)", 1, "scale twice"},
    {"fn f(a, b = 1) = a\nf()", 2, "f lacks a"},
    {"f(1, c = 2)\nfn f(a, b = 1) = a", 1, "f no argument c"},
    {"1 |> f(2, 3)\nfn f(a, b = 1) = a", 1, "f takes 2 3"},
    {"dist D(p: unit) on real { logpdf(x) = p }\nprint(D(q = 1))", 2, "D no argument q p"},
    {"fn g() {\n fn f(a) = a\n f()\n}", 3, "f lacks a"},
    {"infer()", 1, "infer lacks model"},
    {"fn f(a, a) = a", 1, "two parameters a"},
    {"fn f(a = 1, b) = a", 1, "b default a"},
    /* statements in their places */
    {"x ~ Normal(0, 1)", 1, "~ top level model"},
    {"fn f() { x ~ Normal(0, 1) }", 1, "~ fn draw(D)"},
    {"net f() { x ~ Normal(0, 1) }", 1, "~ net"},
    {"param w: real", 1, "param top level nets"},
    {"fn f() { param w: real }", 1, "param net instead of fn"},
    {"model m { refine x for t in 1..2 { } }", 1, "refine guides"},
    {"return 1", 1, "return top level"},
    {"x := 1", 1, ":= ="},
    {"factor 1", 1, "factor top level models"},
    {"fn f() { observe 1 ~ Normal(0, 1) }", 1, "observe models"},
    {"fn f() { data x }", 1, "data top level"},
    {"if true { data x }", 1, "data top level"},
    {"model m { dist D() on real { } }", 1, "dist top level"},
    {"x = if true { 1 } else { y = 2 }", 1, "branch value none"},
    {MODEL("plate n in 1..2 { return 1 }"), 3, "return plate n"},
    {MODEL("plate n in 1..2 { plate n in 1..3 { } }"), 3, "plate n inside"},
    {"import \"x.ppl\"", 1, "import x.ppl"},
    /* roles of ~ */
    {MODEL("b = 3\nb ~ Normal(0, 1)"), 4, "b = line 3 data observe factor"},
    {MODEL("b ~ Normal(0, 1)\nb = 3"), 3, "b = line 4 data observe factor"},
    {MODEL("b[1] ~ Normal(0, 1)\nb[2] = 3"), 3, "b = data observe factor"},
    {MODEL("plate n in 1..2 { b = n }\nplate k in 1..2 { b[k] ~ Normal(0, 1) }"), 4, "b = plate"},
    {"mu = 3\nmodel m { mu ~ Normal(0, 1) }", 2, "mu top level line 1 data observe factor"},
    {"model m { mu ~ Normal(0, 1) }\nmu = 3", 1, "mu top level line 2"},
    {MODEL("param w: real\nw ~ Normal(0, 1)"), 4, "w param"},
    {MODEL("w := 1\nw ~ Normal(0, 1)"), 4, "w :="},
    {MODEL("for i in 1..2 { i ~ Normal(0, 1) }"), 3, "i index"},
    {"fn f(z) {\n model m { z ~ Normal(0, 1) }\n m\n}", 2, "z function around observe"},
    /* addresses */
    {MODEL("for t in 1..3 { x ~ Normal(0, 1) }"), 3, "x drawn t x[t]"},
    {MODEL("while true { x ~ Normal(0, 1) }"), 3, "x drawn x[t]"},
    {MODEL("for t in 1..3 { for s in 1..2 { x[s] ~ Normal(0, 1) } }"), 3, "x[s] t x[s, t]"},
    {MODEL("for t in 1..3 { x[1] ~ Normal(0, 1) }"), 3, "x[1] t"},
    {MODEL("for t in 1..3 { y ~ Normal(0, 1) }"), 3, "y observed t y[t]"},
    {MODEL("for t in 1..3 { w := t }"), 3, "w recorded w[t]"},
    {MODEL("for t in 1..3 { plate n in 1..2 { x[n] ~ Normal(0, 1) } }"), 3, "x[n] t x[n, t]"},
    {MODEL("plate n in 1..len(y) { mu ~ Normal(0, 1) }"), 3, "mu drawn plate n mu[n] len(y) copies"},
    {MODEL("plate n in 1..2 { y ~ Normal(0, 1) }"), 3, "y observed plate n y[n]"},
    {MODEL("plate n in 1..2, k in 1..3 { mu[k, n] ~ Normal(0, 1) }"), 3, "mu[k, n] plates n and k mu[n, k]"},
    {MODEL("plate n in 1..2 { plate k in 1..3 { mu[k] ~ Normal(0, 1) } }"), 3, "mu[k] mu[n, k]"},
    {MODEL("plate n in 1..2 { d := 1 }"), 3, "d recorded d[n]"},
    {MODEL("plate n in 1..2 { mu[n, :] ~ Normal(0, 1) }"), 3, "expected index mu :"},
    {MODEL("x ~ Normal(0, 1)\nx ~ Normal(0, 2)"), 4, "x drawn twice line 3"},
    {MODEL("x[1] ~ Normal(0, 1)\nx[1] ~ Normal(0, 2)"), 4, "x[1] twice"},
    {MODEL("x ~ Normal(0, 1)\nif y[1] > 0 { x ~ Normal(0, 2) }"), 4, "x twice"},
    {MODEL("if y[1] > 0 { x ~ Normal(0, 1) } else { x ~ Normal(0, 2) }\nx ~ Normal(0, 1)"), 4, "x twice line 3"},
    {MODEL("if y[1] > 0 { return 1 } else { x ~ Normal(0, 2) }\nx ~ Normal(0, 1)"), 4, "x twice"},
    /* binding again */
    {"x = 1\nfn f() { x = 2 }", 2, "x top level line 1 function"},
    {"fn f() { x = 2 }\nx = 1", 1, "x top level line 2"},
    {"fn f(a) {\n fn g() { a = 2 }\n}", 2, "a function around"},
    {MODEL("s = 0\nplate n in 1..2 { s = s + y[n] }"), 4, "s outside plate n sum"},
    {"s = 0\nmodel m { plate n in 1..2 { s = 1 } }", 2, "s top level"},
    {"s = 0\nplate n in 1..2 { s = s + n }", 2, "s outside plate n sum"},
    {MODEL("s[1] = 0\nplate n in 1..2 { s[1] = s[1] + y[n] }"), 4, "s[1] plate n sum"},
    {MODEL("plate n in 1..2 { plate k in 1..2 { eta[n] = k } }"), 3, "eta[n] eta[n, k]"},
    {"x = [1, 2]\nfn f() { x[1] = 2 }", 2, "x outside function"},
    {"fn f() = 1\nfn f() = 2", 2, "f twice line 1"},
    {"fn f() = 1\nf = 2", 2, "f twice"},
    {"x = 1\ndata x", 2, "x twice"},
    {"data x\ndata x", 2, "x twice"},
    {"fn f() {\n fn g() = 1\n fn g() = 2\n}", 3, "g twice"},
    {"dist D(p: unit) on real { logpdf(x) = 1; logpdf(x) = 2 }", 1, "D two members logpdf"},
    {"dist D(p: unit) on real { logpdf(p) = 1 }", 1, "p parameter D"},
    /* guides */
    {"model m { a ~ Normal(0, 1); b ~ Normal(0, 1) }\nguide q for m { a ~ Normal(0, 1) }", 2, "q b m"},
    {"model m { a ~ Normal(0, 1) }\nguide q for m {\n a ~ Normal(0, 1)\n c ~ Normal(0, 1) }", 4, "c q m a"},
    {"dist D(p: unit) on int(0, inf) { logpdf(k) = k }\nmodel m { k ~ D(0.5) }\nguide q for m { }", 3, "q k m"},
    {"guide q for m {\n c ~ Normal(0, 1) }\nmodel m { a ~ Normal(0, 1) }", 1, "q a m"},
    {"model m { a ~ Normal(0, 1) }\nguide q for m with auto_normal() { c ~ Normal(0, 1) }", 2, "c q m"},
    {"model m(x) { a ~ Normal(0, 1) }\nguide q(x) for m { a ~ Normal(0, 1)\n x ~ Normal(0, 1) }", 3, "x drawn guide q no latent m"},
    {"data y\nmodel m { a ~ Normal(0, 1) }\nguide q for m { a ~ Normal(0, 1)\n y ~ Normal(0, 1) }", 4, "y drawn guide q no latent m"},
    {"model m { }\nguide q for m { observe 1 ~ Normal(0, 1) }", 2, "observe guide q"},
    {"model m { }\nguide q for m { factor 1 }", 2, "factor guide q"},
    {"fn m() = 1\nguide q for m { }", 2, "q m not a model"},
    {"guide q for nothing { }", 1, "nothing not known"},
    {"model m { }\nguide q for m { refine lam for t in 1..2 { } }", 2, "lam not known before"},
};

START_TEST(static_errors) {
    expect_error(STATIC_ERRORS[_i].text, STATIC_ERRORS[_i].line, STATIC_ERRORS[_i].words);
}
END_TEST

static const char *const FINE[] = {
    "fn f(a) = g(a)\nfn g(a) = f(a)", /* later functions */
    "fn f(a, b = a) = b\nf(1); f(1, 2); f(1, b = 2); f(b = 2, a = 1); 1 |> f; 1 |> f(2)",
    "print(); print(1, 2, 3); infer(1, 2, steps = 3, batch = {i: 2}); map(1, 2, x = 3)",
    "fn exp(x) = x\nexp(1)", /* a builtin's name, taken */
    "model m { mean ~ Normal(0, 1); x := mean(mean) }",
    "data mean = [1, 2]\nprint(mean(mean))",
    "model m { stop ~ Bernoulli(0.5); if stop == 1 { return 1 }\n rest ~ m()\n return rest }",
    "net f(x) = x\nmodel m(y) { g ~ lift(f, Normal(0, 1)); y ~ Normal(g(1), 1) }",
    "fn helper(x) = x\nmodel m { helper ~ Normal(0, 1) }",
    MODEL("if y[1] > 0 { x ~ Normal(0, 1) } else { x ~ Normal(0, 2) }"),
    MODEL("if y[1] > 0 { x ~ Normal(0, 1); return x }\n x ~ Normal(0, 2)"),
    MODEL("x[1] ~ Normal(0, 1)\nfor t in 2..3 { x[t] ~ Normal(x[t - 1], 1); y[t] ~ Normal(x[t], 1) }"),
    MODEL("i = 1\nwhile i < 3 { x[i] ~ Normal(0, 1); i = i + 1 }"),
    MODEL("for t in 1..3 { k = t + 1; x[k] ~ Normal(0, 1); observe x[k] ~ Normal(0, 1) }"),
    MODEL("plate s in 1..2, t in 1..2 { z[s, t] ~ Normal(0, 1); d[s, t] := z[s, t] }"),
    MODEL("plate s in 1..2 { for t in 1..3 { z[s, t] ~ Normal(0, 1) } }"),
    MODEL("for t in 1..3 { plate s in 1..2 { z[t, s] ~ Normal(0, 1) } }"),
    MODEL("plate s in 1..2 { z[s] ~ Normal(0, 1) }\nplate s in 1..2 { y[s] ~ Normal(z[s], 1) }"),
    MODEL("plate n in 1..2 { eta = n; h[1] = eta; h[2] = 1; k[n] = h[1] }\n print(k)"),
    MODEL("k = zeros(2)\nplate n in 1..2 { k[n] = n }"),
    MODEL("plate n in 1..2 { acc = 0; for t in 1..3 { acc = acc + t } }\nplate n in 1..2 { acc = 1 }"),
    MODEL("plate n in 1..2 { plate k in 1..2 { e[n, k] = 1; g[k] = 2 }; print(g) }\nprint(e)"),
    "n = 3\nmodel m { plate n in 1..2 { z[n] ~ Normal(0, 1) } }",
    "for t in 1..3 { print(t) }\nfn f() { for t in 1..3 { print(t) } }",
    "x = [1, 2]\nx[2] = 3\nfor i in 1..2 { x[i] = i; w[i] = x[i] }",
    "data x: real[N, D]\ndata z: real[N]\nprint(N, D)",
    "N = 3\ndata x: real[N]",
    "data x\nx = x / 10\nmodel m { x ~ Normal(0, 1) }",
    "model outer(J) { z ~ Normal(0, 1); return z }\nmodel m { e ~ outer(3) }\nguide q for m { }",
    "model m { if true { a ~ Normal(0, 1) } }\nguide q for m { }",
    "model m { k ~ Categorical([0.5, 0.5]) }\nguide q for m { }", /* summed out */
    "dist D(p: unit) on int(0, 3) { logpdf(k) = k }\nmodel m { k ~ D(0.5) }\nguide q for m { }",
    "model m { a ~ Normal(0, 1) }\nguide q for m with auto_normal()",
    "model m { a ~ Normal(0, 1) }\nguide q for m { if true { a ~ Normal(0, 1) } else { a ~ Normal(1, 1) } }",
    "model m(x) { x ~ Normal(0, 1) }\nguide q(z) for m { v = 0; refine v for t in 1..2 { v = v + error(x) + gradient(v) } }",
    "fn f(x) { if x > 1 { return 2 }\n 3 }",
    "fn f(x) { y = if x { 1 } else if x > 2 { return 3 } else { if x { 1 } else { 2 } }\n y }",
    "fn f(x) { x = x + 1; x }",
    "fn f(k) { y -> y + k }\nfn h(a) { fn g(b) = a + b\n g(1) }",
    "dist D(loc: real[K], s: positive) on real[K] { logpdf(x) = K + s; draw() = mean(loc); mean() = loc }",
    "print(map(x -> if x { a = 1; a } else { 2 }, [1]))",
    "model m { data ~ Normal(0, 1); plate ~ Normal(0, 1) }",
};

START_TEST(fine) { expect_fine(FINE[_i]); }
END_TEST

/* -- What the resolver fills in -- */
static const Stmt *statement_of(const Module *m, int i) { return m->body->statements[i]; }

START_TEST(slots_and_roles) {
    Session s = session_new();
    ck_assert_msg(session_line(&s, "data y\n"
                                   "model m(x, k) {\n"
                                   "    plate i in 1..2 { e = x[i]; z[i] ~ Normal(e, 1); y[i] ~ Normal(z[i], k) }\n"
                                   "    x ~ Normal(0, 1)\n"
                                   "    return z\n"
                                   "}"), "%s", s.errors.text);
    const Function *f = statement_of(s.module, 1)->u.function.function;
    ck_assert_int_eq(f->params[0].slot, 0);
    ck_assert_int_eq(f->params[1].slot, 1);
    ck_assert_int_eq(f->nslots, 5); /* x, k, i, e, z */
    ck_assert(!f->captures);
    ck_assert_int_eq(f->ncalls, 3);
    const Stmt *plate = f->body->statements[0];
    const Stmt *e = plate->u.plate.body->statements[0], *z = plate->u.plate.body->statements[1],
               *y = plate->u.plate.body->statements[2], *x = f->body->statements[1];
    ck_assert_str_eq(f->slot_names[plate->u.plate.ranges[0].slot], "i");
    ck_assert_str_eq(f->slot_names[e->u.assign.target.ref.slot], "e");
    ck_assert_int_eq(z->u.sample.role, ROLE_LATENT);
    ck_assert_int_eq(z->u.sample.nplates, 1);
    ck_assert_str_eq(f->slot_names[z->u.sample.target.ref.slot], "z");
    ck_assert_int_eq(y->u.sample.role, ROLE_OBSERVED);
    ck_assert_int_eq(y->u.sample.target.ref.kind, REF_GLOBAL);
    ck_assert_int_eq(y->u.sample.target.ref.slot, lang_global_find(s.globals, "y"));
    ck_assert_int_eq(x->u.sample.role, ROLE_OBSERVED);
    ck_assert_int_eq(x->u.sample.target.ref.kind, REF_LOCAL);
    ck_assert_int_eq(x->u.sample.target.ref.slot, 0);
    ck_assert_int_eq(f->body->statements[2]->u.expr->u.name.ref.slot, z->u.sample.target.ref.slot);
    session_free(&s);
}
END_TEST

START_TEST(depths_and_captures) {
    Session s = session_new();
    ck_assert_msg(session_line(&s, "g = 1\nfn f(a) { b -> c -> a + g }\nh = x -> x + g"), "%s", s.errors.text);
    const Function *f = statement_of(s.module, 1)->u.function.function;
    const Function *outer = f->body->statements[0]->u.expr->u.lambda, *inner = outer->expr->u.lambda;
    const Expr *sum = inner->expr;
    ck_assert_int_eq(sum->u.binary.left->u.name.ref.kind, REF_LOCAL);
    ck_assert_int_eq(sum->u.binary.left->u.name.ref.depth, 2);
    ck_assert_int_eq(sum->u.binary.left->u.name.ref.slot, 0);
    ck_assert_int_eq(sum->u.binary.right->u.name.ref.kind, REF_GLOBAL);
    ck_assert(inner->captures && outer->captures && !f->captures);
    ck_assert(!statement_of(s.module, 2)->u.assign.value->u.lambda->captures);
    session_free(&s);
}
END_TEST

START_TEST(sizes_bind) {
    Session s = session_new();
    ck_assert_msg(session_line(&s, "data x: real[N, 3]\ndata z: real[N]\n"
                                   "dist D(loc: real[K], s: positive) on real[K] { logpdf(x) = x }"),
                  "%s", s.errors.text);
    const Type *first = statement_of(s.module, 0)->u.data.type, *second = statement_of(s.module, 1)->u.data.type;
    ck_assert_int_eq(first->bind_slot[0], lang_global_find(s.globals, "N"));
    ck_assert_int_eq(first->bind_slot[1], -1);
    ck_assert_int_eq(second->bind_slot[0], -1);
    ck_assert_int_eq(second->sizes[0]->u.name.ref.slot, first->bind_slot[0]);
    const DistDecl *d = statement_of(s.module, 2)->u.dist.decl;
    ck_assert_int_eq(d->params[0].slot, 0);
    ck_assert_int_eq(d->params[1].slot, 1);
    ck_assert_int_eq(d->params[0].type->bind_slot[0], 2);
    ck_assert_int_eq(d->nslots, 3);
    ck_assert_int_eq(d->support->sizes[0]->u.name.ref.slot, 2);
    ck_assert_int_eq(d->members[0]->params[0].slot, 3);
    ck_assert_int_eq(d->members[0]->nslots, 4);
    session_free(&s);
}
END_TEST

/* -- The library on demand -- */
static const char LIBRARY[] = "# a library\n"
                              "third = 1 / 3\n"
                              "fn _half(x) = x / 2\n"
                              "fn even(n) = if n == 0 { true } else { odd(n - 1) }\n"
                              "fn odd(n) = if n == 0 { false } else { even(n - 1) }\n"
                              "fn scale(x) = _half(x)\n"
                              "# twice as much\n"
                              "fn twice(x) {\n"
                              "    scale(scale(x))\n"
                              "}\n"
                              "fn wrong(x) = x + nowhere\n"
                              "fn pair_a() = 1; fn pair_b() = 2\n"
                              "fn broken( = 1\n";
enum { LIBRARY_NAMES = 9 };

static LibraryEntry entry_of(const char *name, const char *begin) {
    const char *at = strstr(LIBRARY, begin), *end = strchr(at, '\n');
    int line = 1;
    for (const char *c = LIBRARY; c < at; c++)
        line += *c == '\n';
    if (end[-1] == '{')
        end = strstr(at, "\n}") + 2;
    return (LibraryEntry){name, 0, line, (int)(at - LIBRARY), (int)(end - at)};
}

static Session session_with_library(LibraryEntry *entries) {
    static const char *const DEFINED[LIBRARY_NAMES][2] = {
        {"_half", "fn _half"}, {"broken", "fn broken"}, {"even", "fn even"}, {"odd", "fn odd"}, {"pair_a", "fn pair_a"},
        {"scale", "fn scale"}, {"third", "third ="}, {"twice", "fn twice"}, {"wrong", "fn wrong"}};
    Session s = session_new();
    for (int k = 0; k < LIBRARY_NAMES; k++)
        entries[k] = entry_of(DEFINED[k][0], DEFINED[k][1]);
    int file = ctx_add_static_source(s.ctx, "library.ppl", LIBRARY, strlen(LIBRARY));
    lang_globals_library(s.globals, entries, LIBRARY_NAMES, file);
    return s;
}

static const Global *loaded(const Session *s, const char *name) {
    return lang_library_loaded(s->globals, lang_library_find(s->globals, name));
}

static int count_loaded(const Session *s) {
    int n = 0;
    for (int k = 0; k < lang_library_count(s->globals); k++)
        n += lang_library_loaded(s->globals, k) != NULL;
    return n;
}

START_TEST(library_is_loaded_on_demand) {
    LibraryEntry entries[LIBRARY_NAMES];
    Session s = session_with_library(entries);
    for (int k = 0; k < LIBRARY_NAMES; k++)
        ck_assert_int_eq(lang_library_find(s.globals, entries[k].name), k);
    ck_assert_int_eq(lang_library_find(s.globals, "thrice"), -1);
    ck_assert_msg(session_line(&s, "fn f(scale) = scale + 1\nprint(f(1))"), "%s", s.errors.text);
    ck_assert_int_eq(count_loaded(&s), 0); /* a parameter is no name of the library */
    ck_assert_msg(session_line(&s, "print(twice(2))"), "%s", s.errors.text);
    ck_assert_int_eq(count_loaded(&s), 3); /* with what it uses in turn */
    const Global *twice = loaded(&s, "twice");
    ck_assert_int_eq(twice->kind, GLOBAL_FUNCTION);
    ck_assert_int_eq(twice->span.line, 8);
    const Expr *call = twice->function->body->statements[0]->u.expr;
    ck_assert_int_eq(call->span.line, 9);
    ck_assert_int_eq(call->span.column, 5);
    ck_assert_str_eq(ctx_source_name(s.ctx, call->span.file), "library.ppl");
    ck_assert_int_eq(call->u.call.callee->u.name.ref.kind, REF_LIBRARY);
    ck_assert_int_eq(call->u.call.callee->u.name.ref.slot, lang_library_find(s.globals, "scale"));
    const Function *once = twice->function;
    ck_assert_msg(session_line(&s, "print(twice(third), even(4))"), "%s", s.errors.text);
    ck_assert_ptr_eq(loaded(&s, "twice"), twice); /* once for all modules */
    ck_assert_ptr_eq(twice->function, once);
    ck_assert_int_eq(count_loaded(&s), 6);
    ck_assert_int_eq(loaded(&s, "third")->kind, GLOBAL_VALUE);
    ck_assert_int_eq(loaded(&s, "third")->constant->kind, EXPR_BINARY);
    session_free(&s);
}
END_TEST

START_TEST(library_names_may_be_bound_anew) {
    LibraryEntry entries[LIBRARY_NAMES];
    Session s = session_with_library(entries);
    ck_assert_msg(session_line(&s, "scale = 3\nfn odd(a, b) = a\ndata third: real[even]\nprint(twice(scale), odd(1, 2))\n"
                                   "model m { twice ~ Normal(0, 1); x := twice(twice) }"),
                  "%s", s.errors.text);
    int mine = lang_global_find(s.globals, "scale");
    ck_assert_int_eq(lang_global(s.globals, mine)->kind, GLOBAL_VALUE);
    const Expr *outer = statement_of(s.module, 3)->u.expr->u.call.arguments[0].value;
    ck_assert_int_eq(outer->u.call.callee->u.name.ref.kind, REF_LIBRARY);
    ck_assert_int_eq(outer->u.call.arguments[0].value->u.name.ref.kind, REF_GLOBAL);
    /* loaded behind the program's `scale`, the library still means its own */
    const Expr *inner = loaded(&s, "twice")->function->body->statements[0]->u.expr;
    ck_assert_int_eq(inner->u.call.callee->u.name.ref.kind, REF_LIBRARY);
    ck_assert_int_ge(lang_global_find(s.globals, "even"), 0); /* bound by the data */
    ck_assert_ptr_null(loaded(&s, "even"));
    const Global *even = lang_library(s.globals, lang_library_find(s.globals, "even"));
    ck_assert_int_eq(even->function->nparams, 1);
    ck_assert_int_eq(loaded(&s, "odd")->function->nparams, 1);
    session_free(&s);
}
END_TEST

START_TEST(library_names_are_known_to_messages) {
    static const struct { const char *text, *words; } WRONG[] = {
        {"print(twicee(1))", "did you mean twice"}, {"print(thrid)", "did you mean third"},
        {"print(twice(1, 2))", "twice takes 1 argument"}, {"print(scale(y = 2))", "scale has no argument y"},
        {"print(_half(2))", "reserved for the library"}, {"fn f() { twice = 1; twice(2) }\nprint(_hlaf)", "_hlaf"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        LibraryEntry entries[LIBRARY_NAMES];
        Session s = session_with_library(entries);
        ck_assert(!session_line(&s, WRONG[i].text));
        ck_assert_msg(strstr(s.errors.text, WRONG[i].words), "%s: %s", WRONG[i].text, s.errors.text);
        ck_assert_msg(session_line(&s, "print(twice(4))"), "%s", s.errors.text); /* nothing stays half loaded */
        session_free(&s);
    }
}
END_TEST

typedef struct Naming {
    Session *session;
    const char *name;
} Naming;

static void name_it(void *self) {
    Naming *n = self;
    lang_library(n->session->globals, lang_library_find(n->session->globals, n->name));
}

START_TEST(wrong_library_is_raised) {
    static const struct { const char *name, *words; int line; } WRONG[] = {
        {"wrong", "nowhere is not known", 11}, {"pair_a", "not one definition of pair_a", 12}, {"broken", "", 13}};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        LibraryEntry entries[LIBRARY_NAMES];
        Session s = session_with_library(entries);
        for (int again = 0; again < 2; again++) {
            Error e;
            ck_assert(!ctx_protect(s.ctx, name_it, &(Naming){&s, WRONG[i].name}, &e));
            ck_assert_msg(strstr(e.message, WRONG[i].words), "%s", e.message);
            ck_assert_int_eq(e.span.line, WRONG[i].line);
        }
        session_free(&s);
    }
}
END_TEST

START_TEST(a_wrong_module_leaves_no_names) {
    Session s = session_new();
    s.options.interactive = true;
    ck_assert(session_line(&s, "a = 1"));
    int n = lang_globals_count(s.globals);
    ck_assert(!session_line(&s, "fn a() = 1\nb = 2\nprint(nothing)"));
    ck_assert_int_eq(lang_globals_count(s.globals), n);
    ck_assert_int_eq(lang_global_find(s.globals, "b"), -1);
    ck_assert_int_eq(lang_global(s.globals, lang_global_find(s.globals, "a"))->kind, GLOBAL_VALUE);
    ck_assert(session_line(&s, "fn a() = 1")); /* interactive: in any role */
    ck_assert_int_eq(lang_global(s.globals, lang_global_find(s.globals, "a"))->kind, GLOBAL_FUNCTION);
    ck_assert(session_line(&s, "print(a())"));
    ck_assert(session_line(&s, "c = 1\nd = 2"));
    ck_assert(!session_line(&s, "fn c() = 1\nfn d() = 2\nc = 3\nplate k in 1..2 { a2[k] = k }\nfn d() = e"));
    ck_assert(session_line(&s, "print(a() + c + d)"));
    ck_assert_int_eq(lang_global(s.globals, lang_global_find(s.globals, "c"))->kind, GLOBAL_VALUE);
    ck_assert_int_eq(lang_global(s.globals, lang_global_find(s.globals, "d"))->kind, GLOBAL_VALUE);
    ck_assert_int_eq(lang_global_find(s.globals, "a2"), -1);
    session_free(&s);
}
END_TEST

/* -- Imports -- */
static const char *const FILES[][2] = {
    {"a.ppl", "import \"b.ppl\"\nimport \"c.ppl\"\nfn a() = b() + c()"},
    {"b.ppl", "import \"c.ppl\"\nfn b() = c()"},
    {"c.ppl", "fn c() = 1"},
    {"circle.ppl", "import \"round.ppl\""},
    {"round.ppl", "import \"circle.ppl\""},
    {"wrong.ppl", "x = )"},
};

static int read_file(void *self, Ctx *c, const char *importer, const char *path, const char **why) {
    (void)self, (void)importer;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
        if (strcmp(FILES[i][0], path) == 0)
            return ctx_add_source(c, path, FILES[i][1], strlen(FILES[i][1]));
    *why = "there is no such file";
    return -1;
}

START_TEST(imports) {
    Session s = session_new();
    s.options.read_import = read_file;
    ck_assert_msg(session_line(&s, "import \"a.ppl\"\nprint(a(), b())"), "%s", s.errors.text);
    const Module *a = statement_of(s.module, 0)->u.import.module;
    ck_assert_ptr_nonnull(a);
    const Module *b = statement_of(a, 0)->u.import.module;
    ck_assert_ptr_nonnull(statement_of(b, 0)->u.import.module);
    ck_assert_ptr_null(statement_of(a, 1)->u.import.module); /* c.ppl was loaded before */
    ck_assert(!session_line(&s, "import \"circle.ppl\""));
    ck_assert_msg(strstr(s.errors.text, "circle"), "%s", s.errors.text);
    ck_assert(!session_line(&s, "x = 1\nimport \"none.ppl\""));
    expect_words(&s, "", 2, "none.ppl no such file");
    ck_assert(!session_line(&s, "import \"wrong.ppl\""));
    expect_words(&s, "", 1, "expected found )");
    session_free(&s);
}
END_TEST

static const struct { const char *text; Completeness want; } TEXTS[] = {
    {"x = 1", TEXT_COMPLETE}, {"", TEXT_COMPLETE}, {"print(x", TEXT_UNFINISHED}, {"x = 1 +", TEXT_UNFINISHED},
    {"model m {\n x ~ Normal(0, 1)\n", TEXT_UNFINISHED}, {"fn f(x) =", TEXT_UNFINISHED}, {"x = [1,", TEXT_UNFINISHED},
    {"if a { 1 } else", TEXT_UNFINISHED}, {"x = )", TEXT_WRONG}, {"x = (1 +* ", TEXT_WRONG}, {"x = \"abc", TEXT_WRONG},
    {"model m", TEXT_WRONG}, {"unknown_name", TEXT_COMPLETE}, {"_x = 1", TEXT_COMPLETE},
};

START_TEST(completeness) {
    Ctx *c = ctx_new();
    size_t used = arena_used(c->session);
    ck_assert_int_eq(lang_completeness(c, TEXTS[_i].text), TEXTS[_i].want);
    ck_assert_uint_eq(arena_used(c->session), used);
    ctx_free(c);
}
END_TEST

/* -- Hostile texts -- */
static char *repeated(const char *head, const char *part, int n, const char *tail) {
    Buf b = {0};
    buf_add(&b, head);
    for (int i = 0; i < n; i++)
        buf_add(&b, part);
    buf_add(&b, tail);
    return b.text;
}

static const struct { const char *head, *part, *tail; } DEEP[] = {
    {"x = ", "(", "1"}, {"x = ", "[", "1"}, {"x = ", "{a: ", "1"}, {"x = ", "-", "1"}, {"x = ", "not ", "true"},
    {"x = 1", " + 1", ""}, {"x = 1", " ^ 1", ""}, {"x = ", "a -> ", "1"}, {"x = print", "(1)", ""}, {"x = print", ".a", ""},
    {"x = 1", " |> print", ""}, {"", "if true { ", ""}, {"if true { }", " else if true { }", ""},
    {"x = ", "if true { 1 } else { ", "1"}, {"", "fn f() { ", ""}, {"x = ", "if ", "1"}, {"", "}", ""}, {"", ")", ""},
    {"fn f() = ", "print(-", "1"}, {"dist D() on real { f() = ", "x -> ", "1 }"},
};

START_TEST(deep_nesting_is_a_polite_error) {
    static const int DEPTHS[] = {600, 20000, 200000};
    for (int i = 0; i < 3; i++) {
        char *text = repeated(DEEP[_i].head, DEEP[_i].part, DEPTHS[i], DEEP[_i].tail);
        Session s = session_new();
        ck_assert(!session_line(&s, text));
        ck_assert_ptr_nonnull(strchr(s.errors.text, '\n'));
        session_free(&s);
        free(text);
    }
}
END_TEST

START_TEST(moderate_nesting_is_fine) {
    char *sum = repeated("x = 1", " + 1", 400, ""), *open = repeated("x = ", "(", 400, "1");
    char *brackets = repeated(open, ")", 400, "");
    expect_fine(sum);
    expect_fine(brackets);
    free(sum), free(open), free(brackets);
}
END_TEST

START_TEST(texts_that_are_none) {
    static const struct { const char *text; size_t length; const char *words; } BAD[] = {
        {"x = 1\n\0y", 8, "NUL"}, {"\x7f" "ELF\x02\x01\x01\0\0", 9, "NUL"}, {"x = \"\xff\"", 7, "UTF-8"},
        {"# \xc3\x28", 4, "UTF-8"}, {"x = \xe2\x82", 6, "UTF-8"}, {"\xed\xa0\x80", 3, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        Session s = session_new();
        ck_assert(!session_load(&s, "<test>", BAD[i].text, BAD[i].length));
        ck_assert_msg(strstr(s.errors.text, BAD[i].words), "%s", s.errors.text);
        session_free(&s);
    }
    char *name = repeated("x", "y", 100000, " = 1"), *digits = repeated("x = 1", "0", 300, "");
    char *too_large = repeated("x = 1", "0", 100000, "");
    expect_error(name, 1, "255");
    expect_fine(digits);
    expect_error(too_large, 1, "inf");
    free(name), free(digits), free(too_large);
}
END_TEST

START_TEST(many_errors_are_cut) {
    char *text = repeated("", "x = )\n", 500, "");
    Ctx *c = ctx_new();
    Diagnostics d = {0};
    int file = ctx_add_source(c, "<test>", text, strlen(text));
    ck_assert_ptr_null(lang_load(c, lang_globals_new(c, NULL, 0), file, NULL, &d));
    ck_assert_int_eq(d.n, 20);
    ck_assert_int_eq(d.nerrors, 500);
    ctx_free(c);
    free(text);
}
END_TEST

/* -- The acceptance programs, where they are at hand -- */
static const char ACCEPTANCE[] = "../shared/acceptance";

static char *read_text(const char *path, size_t *length) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    Buf b = {0};
    char chunk[4096];
    buf_add(&b, "");
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_add_bytes(&b, chunk, n);
    fclose(f);
    *length = b.length;
    return b.text;
}

START_TEST(acceptance_programs) {
    DIR *dir = opendir(ACCEPTANCE);
    if (!dir) {
        fprintf(stderr, "test_lang: %s is absent, its programs are skipped\n", ACCEPTANCE);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        const char *end = strrchr(e->d_name, '.');
        if (!end || strcmp(end, ".ppl") != 0)
            continue;
        char path[512];
        size_t length;
        snprintf(path, sizeof path, "%s/%s", ACCEPTANCE, e->d_name);
        char *text = read_text(path, &length);
        Session s = session_new();
        ck_assert_msg(session_load(&s, path, text, length), "%s: %s", path, s.errors.text);
        session_free(&s);
        free(text);
    }
    closedir(dir);
}
END_TEST

static const struct { const char *name; int line; const char *words; } WRONG_PROGRAMS[] = {
    {"assigned_then_drawn", 7, "b observe"},    {"drawn_twice", 7, "x x[t]"},
    {"guide_invents_latent", 13, "sigma"},      {"guide_misses_latent", 11, "tau q"},
    {"misspelt_name", 10, "thta theta"},        {"missing_index", 8, "mu mu[n] plate"},
    {"syntax", 5, "expected"},                  {"wrong_arguments", 7, "Normal sclae scale"},
};

START_TEST(wrong_acceptance_programs) {
    char path[512];
    size_t length;
    snprintf(path, sizeof path, "%s/errors/%s.ppl", ACCEPTANCE, WRONG_PROGRAMS[_i].name);
    char *text = read_text(path, &length);
    if (!text) {
        fprintf(stderr, "test_lang: %s is absent, skipped\n", path);
        return;
    }
    Session s = session_new();
    ck_assert(!session_load(&s, path, text, length));
    expect_words(&s, path, WRONG_PROGRAMS[_i].line, WRONG_PROGRAMS[_i].words);
    session_free(&s);
    free(text);
}
END_TEST

/* -- Random texts: an error or a tree, never a crash -- */
static const char *const SEEDS[] = {
    "data y: int(0, 1)[N] = [1, 0]\nmodel m(x) {\n  mu ~ Normal(0, 5)\n  plate j in 1..N, k in 1..3 {\n"
    "    eta = mu + x[j]\n    theta[j, k] ~ Normal(eta, 1)\n  }\n  for t in 2..3 { z[t] ~ Normal(z[t - 1], 1) }\n"
    "  if mu > 0 { return mu } else if mu == 1 { factor -1 }\n  observe x ~ Normal(mu, 1)\n  d := mu\n}\n",
    "guide q(x) for m with auto_normal() {\n  param loc: real[2] = 0\n  lam = {loc: zeros(2), s: 1}\n"
    "  refine (lam, x) for t in 1..5 {\n    lam = f(lam, gradient(lam), error(x))\n  }\n  mu ~ Normal(lam.loc, exp(lam.s))\n}\n",
    "dist D(p: unit, r: positive[K]) on int(0, inf) {\n  logpdf(k) = where(k == 0, log(p), -r)\n"
    "  draw() = if draw(Bernoulli(p)) == 1 { 0 } else { 1 }\n}\nnet f(x) = x |> dense(200)\n  |> elu # c\n"
    "(a, b) = ((u, v) -> u ^ -2 ..3)(1, \"s\\n\")[:, 1]\nwhile not a >= 1_000.5e3 and μ { x[1] = missing[2] % 3 @ .5 }\n",
};
static const char *const PIECES[] = {"(", ")", "[", "]", "{", "}", "\n", ";", " ", "~", ":=", "=", "|>", "->", "..", ":",
    ",", ".", "if ", "else ", "for ", "in ", "plate ", "model ", "guide ", "dist ", "data ", "fn ", "param ", "refine ",
    "return ", "observe ", "factor ", "x", "m", "1", "-", "not ", "\"", "#", "\xc3", "\\", "1.", "missing", "import \"a\""};

static void mutate(Stream *r, Buf *b) {
    size_t count = 1 + stream_u32(r) % 4;
    for (size_t k = 0; k < count; k++) {
        size_t at = stream_u32(r) % (b->length + 1), n = stream_u32(r) % 12;
        Buf out = {0};
        buf_add(&out, "");
        buf_add_bytes(&out, b->text, at);
        switch (stream_u32(r) % 4) {
        case 0: /* insert */
            buf_add(&out, PIECES[stream_u32(r) % (sizeof PIECES / sizeof *PIECES)]);
            n = 0;
            break;
        case 1: /* replace */
            buf_add(&out, PIECES[stream_u32(r) % (sizeof PIECES / sizeof *PIECES)]);
            break;
        case 2: /* copy a stretch from elsewhere */
            if (b->length > 40)
                buf_add_bytes(&out, b->text + stream_u32(r) % (b->length - 40), stream_u32(r) % 40);
            n = 0;
            break;
        default: /* delete */
            break;
        }
        if (at + n < b->length)
            buf_add_bytes(&out, b->text + at + n, b->length - at - n);
        buf_free(b);
        *b = out;
    }
}

static void load_quietly(const Buf *b) {
    Session s = session_new();
    session_load(&s, "<fuzz>", b->text, b->length);
    lang_completeness(s.ctx, b->text);
    if (s.module) {
        Buf tree = {0};
        lang_dump(s.module, &tree);
        buf_free(&tree);
    }
    session_free(&s);
}

START_TEST(random_texts) {
    const char *seed = getenv("FUZZ_SEED"), *seconds = getenv("FUZZ_SECONDS");
    Stream r = stream_at(seed ? strtoull(seed, NULL, 10) : 1, 0, 0, 0);
    clock_t end = clock() + CLOCKS_PER_SEC * (seconds ? atoi(seconds) : 1);
    Buf b = {0};
    for (int round = 0; clock() < end; round++) {
        if (round % 20 == 0) {
            buf_free(&b);
            b = (Buf){0};
            buf_add(&b, SEEDS[stream_u32(&r) % (sizeof SEEDS / sizeof *SEEDS)]);
            if (stream_u32(&r) % 2)
                buf_add(&b, SEEDS[stream_u32(&r) % (sizeof SEEDS / sizeof *SEEDS)]);
        }
        mutate(&r, &b);
        load_quietly(&b);
        if (round % 50 == 49) {
            Buf noise = {0};
            buf_add(&noise, "");
            for (uint32_t n = stream_u32(&r) % 200; n > 0; n--)
                buf_add_char(&noise, (char)(1 + stream_u32(&r) % (round % 100 == 99 ? 126 : 255)));
            load_quietly(&noise);
            buf_free(&noise);
        }
    }
    buf_free(&b);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void) {
    Suite *suite = suite_create("lang");
    TCase *grammar = tcase_create("grammar"), *checks = tcase_create("checks"), *hostile = tcase_create("hostile");
    tcase_add_loop_test(grammar, expressions, 0, COUNT(EXPRESSIONS));
    tcase_add_loop_test(grammar, lines, 0, COUNT(LINES));
    tcase_add_loop_test(grammar, statements, 0, COUNT(STATEMENTS));
    tcase_add_loop_test(grammar, syntax_errors, 0, COUNT(SYNTAX_ERRORS));
    tcase_add_test(grammar, several_syntax_errors_in_one_run);
    tcase_add_loop_test(grammar, completeness, 0, COUNT(TEXTS));
    tcase_add_loop_test(checks, static_errors, 0, COUNT(STATIC_ERRORS));
    tcase_add_loop_test(checks, fine, 0, COUNT(FINE));
    tcase_add_test(checks, slots_and_roles);
    tcase_add_test(checks, depths_and_captures);
    tcase_add_test(checks, sizes_bind);
    tcase_add_test(checks, library_is_loaded_on_demand);
    tcase_add_test(checks, library_names_may_be_bound_anew);
    tcase_add_test(checks, library_names_are_known_to_messages);
    tcase_add_test(checks, wrong_library_is_raised);
    tcase_add_test(checks, a_wrong_module_leaves_no_names);
    tcase_add_test(checks, imports);
    tcase_add_test(checks, acceptance_programs);
    tcase_add_loop_test(checks, wrong_acceptance_programs, 0, COUNT(WRONG_PROGRAMS));
    tcase_add_loop_test(hostile, deep_nesting_is_a_polite_error, 0, COUNT(DEEP));
    tcase_add_test(hostile, moderate_nesting_is_fine);
    tcase_add_test(hostile, texts_that_are_none);
    tcase_add_test(hostile, many_errors_are_cut);
    tcase_add_test(hostile, random_texts);
    tcase_set_timeout(hostile, 0);
    suite_add_tcase(suite, grammar);
    suite_add_tcase(suite, checks);
    suite_add_tcase(suite, hostile);
    return suite_run(suite);
}
