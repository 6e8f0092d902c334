#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_randist.h>

#include "base/arena.h"
#include "base/ctx.h"
#include "base/random.h"
#include "base/strings.h"
#include "suite.h"

/* -- Arenas -- */

START_TEST(arena_gives_zeroed_aligned_memory) {
    static const unsigned char zeros[3000];
    Arena *a = arena_new();
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < sizeof zeros; size += 7) {
            unsigned char *p = arena_alloc(a, size);
            ck_assert_uint_eq((uintptr_t)p % 16, 0);
            ck_assert_mem_eq(p, zeros, size);
            memset(p, 0xAB, size);
        }
        arena_reset(a);
        ck_assert_uint_eq(arena_used(a), 0);
    }
    arena_free(a);
}
END_TEST

static char order[32];
static void note_release(void *object) { strcat(order, object); }

START_TEST(arena_runs_deferred_releases_in_reverse) {
    order[0] = 0;
    Arena *a = arena_new();
    arena_defer(a, note_release, "1");
    ArenaMark mark = arena_mark(a);
    for (int k = 0; k < 20; k++) arena_defer(a, note_release, k == 0 ? "2" : k == 19 ? "3" : "");
    arena_rewind(a, mark);
    ck_assert_str_eq(order, "32");
    arena_defer(a, note_release, "4");
    arena_free(a);
    ck_assert_str_eq(order, "3241");
}
END_TEST

START_TEST(arena_gives_back_what_grew) {
    Arena *a = arena_new();
    ArenaMark mark = arena_mark(a);
    Grown *g = arena_grown(a);
    char *block = NULL;
    for (size_t size = 1; size <= 1 << 20; size *= 2) {
        block = grown_resize(g, size);
        block[size - 1] = (char)(size >> 10);
        ck_assert(block[size / 2 ? size / 2 - 1 : 0] == (char)(size >> 11) || size == 1);
    }
    ck_assert_uint_lt(arena_used(a), 100);
    ck_assert_ptr_null(grown_resize(g, 0));
    ck_assert_ptr_nonnull(grown_resize(g, 100));
    arena_rewind(a, mark); /* the sanitizer sees that nothing is left */
    arena_grown(a);
    arena_free(a);
}
END_TEST

START_TEST(arena_rewinds_to_a_mark) {
    Arena *a = arena_new();
    int *kept = arena_alloc(a, sizeof *kept);
    *kept = 7;
    ArenaMark mark = arena_mark(a);
    size_t used = arena_used(a);
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < 10; k++) memset(arena_alloc(a, 100000), 1, 100000);
        arena_alloc(a, 8 << 20); /* its own chunk, given back to the system */
        ck_assert_uint_ge(arena_used(a), 1000000 + (8 << 20));
        arena_rewind(a, mark);
        ck_assert_uint_eq(arena_used(a), used);
    }
    ck_assert_int_eq(*kept, 7);
    ck_assert_str_eq(arena_printf(a, "%d-%s", 3, "x"), "3-x");
    arena_free(a);
    arena_free(NULL);
}
END_TEST

/* A child goes with its parent, at the mark before it, or by itself. */
START_TEST(arenas_have_children) {
    order[0] = '\0';
    Arena *a = arena_new();
    ArenaMark mark = arena_mark(a);
    Arena *one = arena_child(a), *two = arena_child(a), *three = arena_child(one);
    arena_defer(one, note_release, "1");
    arena_defer(two, note_release, "2");
    arena_defer(three, note_release, "3");
    arena_free(two);
    ck_assert_str_eq(order, "2");
    arena_rewind(a, mark);
    ck_assert_str_eq(order, "213");
    two = arena_child(a);
    arena_alloc(two, 1000);
    arena_free(arena_child(a));
    arena_free(a);
}
END_TEST

static void take_everything(void *arena) { arena_alloc(arena, SIZE_MAX / 4); }

START_TEST(arena_of_a_context_raises_when_memory_is_out) {
    Ctx *c = ctx_new();
    Arena *a = ctx_arena(c);
    Error e;
    ck_assert(!ctx_protect(c, take_everything, a, &e));
    ck_assert_str_eq(e.message, "out of memory");
    arena_free(a);
    ctx_free(c);
}
END_TEST

/* -- Strings -- */

START_TEST(buf_grows) {
    Buf b = {0};
    for (int k = 0; k < 1000; k++) buf_printf(&b, "%d,", k % 10);
    ck_assert_uint_eq(b.length, 2000);
    ck_assert_str_eq(b.text + 1990, "5,6,7,8,9,");
    buf_free(&b);
    ck_assert_ptr_null(b.text);
}
END_TEST

START_TEST(doubles_read_back) {
    static const struct { double x; const char *text; } cases[] = {
        {0.1, "0.1"},         {-0.0, "-0"},     {1, "1"},       {1e23, "1e+23"},         {INFINITY, "inf"},
        {-INFINITY, "-inf"},  {NAN, "nan"},     {-NAN, "nan"},  {5e-324, "5e-324"},      {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},        {1e-8, "1e-08"}, {4503599627370495.5, "4503599627370495.5"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Buf b = {0};
        buf_add_double(&b, cases[k].x);
        ck_assert_str_eq(b.text, cases[k].text);
        buf_free(&b);
    }
    Stream s = stream_at(5, 0, 0, 0);
    for (int k = 0; k < 20000; k++) {
        uint64_t bits = (uint64_t)stream_u32(&s) << 32 | stream_u32(&s);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        Buf b = {0};
        buf_add_double(&b, x);
        ck_assert_msg(strtod(b.text, NULL) == x, "%s is not %a", b.text, x);
        buf_free(&b);
    }
}
END_TEST

START_TEST(numbers_are_rounded) {
    Buf b = {0};
    buf_add_number(&b, 8.0 / 15, 6);
    buf_add_char(&b, ' ');
    buf_add_number(&b, 12, 6);
    buf_add_char(&b, ' ');
    buf_add_number(&b, -NAN, 6);
    ck_assert_str_eq(b.text, "0.533333 12 nan");
    buf_free(&b);
}
END_TEST

START_TEST(json_strings_are_escaped) {
    Buf b = {0};
    buf_add_json_string(&b, "a\"\\\n\x01μ\xff");
    ck_assert_str_eq(b.text, "\"a\\\"\\\\\\n\\u0001μ\\ufffd\"");
    buf_free(&b);
}
END_TEST

START_TEST(hashes_differ_and_stay) {
    uint64_t seen[400];
    char text[20] = {0};
    int n = 0;
    for (int length = 0; length < 20; length++)
        for (int k = 0; k < 20; k++) {
            memset(text, 'a' + k, (size_t)length);
            seen[n++] = hash_bytes(text, (size_t)length, length ? 0 : (uint64_t)k);
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) ck_assert_uint_ne(seen[i], seen[j]);
    ck_assert_uint_eq(hash_string("theta"), hash_bytes("theta", 5, 0));
    ck_assert_uint_ne(hash_bytes("theta", 5, 0), hash_bytes("theta", 5, 1));
}
END_TEST

START_TEST(utf8_is_decoded_strictly) {
    uint32_t c = 0;
    ck_assert_uint_eq(utf8_decode("θx", 3, &c), 2);
    ck_assert_uint_eq(c, 0x3B8);
    ck_assert_uint_eq(utf8_decode("😀", 4, &c), 4);
    ck_assert_uint_eq(c, 0x1F600);
    static const char *const wrong[] = {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xCE", "\xFF"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        ck_assert_uint_eq(utf8_decode(wrong[k], strlen(wrong[k]), &c), 0);
    ck_assert_uint_eq(utf8_decode("", 0, &c), 0);
}
END_TEST

START_TEST(nearest_name_finds_the_misspelt) {
    static const char *const names[] = {"Normal", "HalfNormal", "Gamma", "mu", "theta", "x", "exp"};
    const int n = sizeof names / sizeof *names;
    ck_assert_str_eq(nearest_name("Nomral", names, n), "Normal");
    ck_assert_str_eq(nearest_name("normal", names, n), "Normal");
    ck_assert_str_eq(nearest_name("HlafNormal", names, n), "HalfNormal");
    ck_assert_str_eq(nearest_name("thetta", names, n), "theta");
    ck_assert_str_eq(nearest_name("X", names, n), "x");
    ck_assert_ptr_null(nearest_name("Poisson", names, n));
    ck_assert_ptr_null(nearest_name("q", names, n));
    ck_assert_ptr_null(nearest_name("", names, n));
    char longest[500];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    ck_assert_ptr_null(nearest_name(longest, names, n));
}
END_TEST

/* -- Random streams -- */

START_TEST(philox_known_answers) {
    /* Random123, kat_vectors: philox4x32, 10 rounds. */
    static const struct { uint32_t counter[4], key[2], out[4]; } cases[] = {
        {{0}, {0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint32_t out[4];
        philox4x32(cases[k].counter, cases[k].key, out);
        for (int i = 0; i < 4; i++) ck_assert_uint_eq(out[i], cases[k].out[i]);
    }
}
END_TEST

START_TEST(streams_follow_their_place) {
    uint32_t out[4], counter[4] = {3, 2, 1, 1}, key[2] = {0x89ABCDEF, 0x01234567};
    Stream s = stream_at(0x0123456789ABCDEF, 3, 2, 1);
    for (int k = 0; k < 4; k++) stream_u32(&s);
    philox4x32(counter, key, out);
    for (int k = 0; k < 4; k++) ck_assert_uint_eq(stream_u32(&s), out[k]);
    Stream a = stream_at(1, 0, 0, 0), b = stream_at(1, 0, 0, 0), other = stream_at(1, 0, 0, 1);
    ck_assert_double_eq(stream_uniform(&a), stream_uniform(&b));
    ck_assert_double_ne(stream_uniform(&a), stream_uniform(&other));
    ck_assert_double_eq(stream_normal(&a), stream_normal(&b));
    ck_assert_int_eq(a.left, 0);
    ck_assert_uint_eq(a.block, 2);
}
END_TEST

START_TEST(folded_keys_do_not_collide) {
    uint64_t keys[300];
    for (uint64_t i = 0; i < 300; i++) keys[i] = key_fold(key_fold(1, i / 20), i % 20);
    for (int i = 0; i < 300; i++)
        for (int j = 0; j < i; j++) ck_assert_uint_ne(keys[i], keys[j]);
}
END_TEST

/* Moments within five standard errors; the streams are fixed, so this either holds or does not. */
START_TEST(draws_have_their_moments) {
    enum { N = 200000 };
    double sum[5] = {0}, uniform[2] = {0}, across = 0, before = 0;
    for (int k = 0; k < N; k++) {
        Stream s = stream_at(42, (uint32_t)k, 0, 0);
        double z = stream_normal(&s), u = stream_uniform(&s), power = 1;
        if (!(u > 0 && u < 1)) ck_abort_msg("%.17g is not between 0 and 1", u);
        for (int p = 0; p < 5; p++, power *= z) sum[p] += power;
        uniform[0] += u;
        uniform[1] += u * u;
        across += z * before;
        before = z;
    }
    static const double moment[] = {1, 0, 1, 0, 3}, sd[] = {0, 1, 1.4142, 3.873, 9.798};
    for (int p = 1; p < 5; p++) ck_assert_double_le(fabs(sum[p] / N - moment[p]), 5 * sd[p] / sqrt(N));
    ck_assert_double_le(fabs(uniform[0] / N - 0.5), 5 * 0.2887 / sqrt(N));
    ck_assert_double_le(fabs(uniform[1] / N - 1.0 / 3), 5 * 0.2981 / sqrt(N));
    ck_assert_double_le(fabs(across / N), 5 / sqrt(N));
}
END_TEST

/* Runs of all lengths, along each of the counters (which may wrap), and single ones between: the numbers of their places. */
START_TEST(normals_at_once_are_those_one_by_one) {
    static const NormalsAlong words[] = {ALONG_ELEMENT, ALONG_PARTICLE, ALONG_EVENT};
    static double out[NORMALS], expected[NORMALS];
    static Normals b;
    uint64_t key = 1;
    for (int round = 0; round < 400; round++) {
        int n = 0;
        const int all = round < NORMALS ? round + 1 : NORMALS;
        while (n < all) {
            key = key_fold(key, 1);
            const int length = key % 3 == 0 ? 1 : (int)(key >> 8 & 0xFFFF) % (key % 3 == 1 ? 12 : NORMALS) + 1;
            const int some = length < all - n ? length : all - n;
            const NormalsAlong along = words[(key >> 40) % 3];
            Stream s = stream_at(key, (uint32_t)round, key >> 50 & 1 ? UINT32_MAX - 5 : 2, 3);
            s.block = (uint32_t)(key >> 60);
            ck_assert_int_eq(normals_add(&b, &s, along, some), some);
            for (int i = 0; i < some; i++) {
                Stream one = s;
                *(along == ALONG_EVENT ? &one.block : &one.place[along]) += (uint32_t)i;
                expected[n++] = stream_normal(&one);
            }
        }
        ck_assert_int_eq(b.n, all);
        normals_make(&b, out);
        ck_assert_int_eq(b.n, 0);
        ck_assert_mem_eq(out, expected, sizeof *out * (size_t)all);
    }
}
END_TEST

/* As the two uniform numbers of a block say, by the C library: also in the far tails and where the cosine is small. */
START_TEST(normals_are_accurate) {
    double furthest = 0;
    for (uint32_t k = 0; k < 200000; k++) {
        Stream s = stream_at(11, k, 0, 0), same = s;
        const double z = stream_normal(&s), u = stream_uniform(&same), angle = 2 * M_PI * stream_uniform(&same);
        const double expected = sqrt(-2 * log(u)) * cos(angle);
        if (!(fabs(z - expected) <= 4 * 0x1p-53 * fabs(expected))) ck_abort_msg("%.17g is not %.17g", z, expected);
        furthest = fmax(furthest, fabs(z));
    }
    ck_assert(furthest > 4 && furthest < 6);
}
END_TEST

START_TEST(gsl_samplers_run_on_a_stream) {
    Stream s = stream_at(9, 0, 0, 0), same = s;
    StreamRng r;
    gsl_rng *rng = stream_gsl(&r, &s);
    ck_assert_double_eq(gsl_rng_uniform(rng), stream_uniform(&same));
    ck_assert_uint_eq(gsl_rng_get(rng), stream_u32(&same));
    double sum = 0;
    for (int k = 0; k < 20000; k++) sum += gsl_ran_gamma(rng, 3, 2);
    ck_assert_double_le(fabs(sum / 20000 - 6), 5 * sqrt(12.0 / 20000));
}
END_TEST

/* -- The context -- */

static Ctx *ctx;

static void raise_program(void *hint) {
    ctx->span = (Span){0, 2, 3, 2, 5};
    ctx_raise(ctx, ERROR_PROGRAM, ctx->span, hint, "expected %d", 3);
}
static void raise_again(void *unused) {
    Error e;
    ck_assert(!ctx_protect(ctx, raise_program, "inner", &e));
    e.notes = "in f\n";
    ctx_reraise(ctx, &e);
}
static void raise_nothing(void *number) { *(int *)number = 5; }

START_TEST(errors_reach_the_catcher) {
    ctx = ctx_new();
    Error e;
    int number = 0;
    ck_assert(ctx_protect(ctx, raise_nothing, &number, &e));
    ck_assert_int_eq(number, 5);
    ck_assert(!ctx_protect(ctx, raise_again, NULL, &e));
    ck_assert_int_eq(e.kind, ERROR_PROGRAM);
    ck_assert_str_eq(e.message, "expected 3");
    ck_assert_str_eq(e.hint, "inner");
    ck_assert_str_eq(e.notes, "in f\n");
    ck_assert_int_eq(ctx->span.file, -1);
    ck_assert_ptr_null(ctx->innermost);
    ctx_free(ctx);
}
END_TEST

static const char *warned;
static void keep_warning(void *self, const Error *e) {
    ck_assert_int_eq(e->span.line, *(int *)self);
    ck_assert_str_eq(e->hint, "a hint");
    ck_assert_str_eq(e->code, "scale-sign");
    warned = e->message;
}

START_TEST(warnings_reach_the_hook) {
    Ctx *c = ctx_new();
    int line = 4;
    ctx_warn(c, WARNING_SCALE_SIGN, (Span){.line = 4}, "a hint", "nobody %s", "hears");
    c->on_warning = keep_warning;
    c->warning_self = &line;
    ctx_warn(c, WARNING_SCALE_SIGN, (Span){.line = 4}, "a hint", "x is %d", 2);
    ck_assert_str_eq(warned, "x is 2");
    ctx_free(c);
}
END_TEST

static void check_rendering(const char *text, Span at, const char *expected) {
    Ctx *c = ctx_new();
    at.file = ctx_add_source(c, "a.ppl", text, strlen(text));
    char *got = ctx_render(c, c->session, "error", &(Error){.span = at, .message = "no", .hint = "yes", .notes = "in f\n"});
    ck_assert_str_eq(got, expected);
    ctx_free(c);
}

START_TEST(errors_are_rendered) {
    check_rendering("one\nμ = nomral(1)\n", (Span){0, 2, 5, 2, 11},
                    "a.ppl:2:5: error: no\n 2 | μ = nomral(1)\n   |     ^~~~~~\nhint: yes\nin f\n");
    check_rendering("\tx\x1b[2J\r\n", (Span){0, 1, 2, 1, 3},
                    "a.ppl:1:2: error: no\n 1 |     x\xEF\xBF\xBD[2J\n   |     ^\nhint: yes\nin f\n");
    check_rendering("名 = 1 +", (Span){0, 1, 8, 1, 8}, "a.ppl:1:8: error: no\n 1 | 名 = 1 +\n   |         ^\nhint: yes\nin f\n");
    check_rendering("f {\n}", (Span){0, 1, 3, 2, 2}, "a.ppl:1:3: error: no\n 1 | f {\n   |   ^\nhint: yes\nin f\n");
    check_rendering("x", (Span){0, 9, 1, 9, 2}, "a.ppl:9:1: error: no\nhint: yes\nin f\n");
    check_rendering("", (Span){0, 1, 1, 1, 1}, "a.ppl:1:1: error: no\n 1 | \n   | ^\nhint: yes\nin f\n");
}
END_TEST

START_TEST(long_lines_are_cut_around_the_caret) {
    char line[2000];
    memset(line, 'a', sizeof line);
    line[999] = 'X';
    line[1999] = 0;
    Ctx *c = ctx_new();
    int file = ctx_add_source(c, "a.ppl", line, 1999);
    char *got = ctx_render(c, c->session, "error", &(Error){.span = {file, 1, 1000, 1, 1900}, .message = "no"});
    char *excerpt = strchr(got, '\n') + 1, *under = strchr(excerpt, '\n') + 1;
    ck_assert_uint_lt(strlen(excerpt), 260);
    ck_assert_int_eq(strchr(excerpt, 'X') - excerpt, strchr(under, '^') - under);
    ck_assert_uint_le(strlen(under), (size_t)(under - excerpt));
    ctx_free(c);
}
END_TEST

START_TEST(errors_without_a_place_are_rendered) {
    Ctx *c = ctx_new();
    char *got = ctx_render(c, c->session, "warning", &(Error){.span = SPAN_NONE, .message = "bad\x1b\x07"});
    ck_assert_str_eq(got, "warning: bad\xEF\xBF\xBD\xEF\xBF\xBD\n");
    ck_assert_str_eq(ctx_source_name(c, 3), "<unknown>");
    ctx_free(c);
}
END_TEST

int main(void) {
    static const struct { const char *name; const TTest *const *tests[16]; } cases[] = {
        {"arena",
         {&arena_gives_zeroed_aligned_memory, &arena_runs_deferred_releases_in_reverse, &arena_rewinds_to_a_mark, &arena_gives_back_what_grew, &arenas_have_children,
          &arena_of_a_context_raises_when_memory_is_out}},
        {"strings",
         {&buf_grows, &doubles_read_back, &numbers_are_rounded, &json_strings_are_escaped, &hashes_differ_and_stay,
          &utf8_is_decoded_strictly, &nearest_name_finds_the_misspelt}},
        {"random",
         {&philox_known_answers, &streams_follow_their_place, &folded_keys_do_not_collide, &draws_have_their_moments,
          &normals_at_once_are_those_one_by_one, &normals_are_accurate, &gsl_samplers_run_on_a_stream}},
        {"ctx",
         {&errors_reach_the_catcher, &warnings_reach_the_hook, &errors_are_rendered,
          &long_lines_are_cut_around_the_caret, &errors_without_a_place_are_rendered}},
    };
    Suite *suite = suite_create("base");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        TCase *tcase = tcase_create(cases[k].name);
        for (const TTest *const *const *t = cases[k].tests; *t; t++) tcase_add_test(tcase, **t);
        suite_add_tcase(suite, tcase);
    }
    return suite_run(suite);
}
