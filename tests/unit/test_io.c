#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/random.h"
#include "base/strings.h"
#include "io/data.h"
#include "io/file.h"
#include "suite.h"

static Ctx *c;
static Arena *a;
static char dir[64];
static const Span at = {.file = -1, .line = 7};

static void setup(void) {
    c = ctx_new();
    a = ctx_arena(c);
    strcpy(dir, "/tmp/ppl-io-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
    arena_free(a);
    ctx_free(c);
}

static const char *in_dir(const char *name) { return arena_printf(a, "%s/%s", dir, name); }

static const char *put_bytes(const char *name, const void *bytes, size_t n) {
    const char *path = in_dir(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
    return path;
}
static const char *put(const char *name, const char *text) { return put_bytes(name, text, strlen(text)); }

/* Calls that may raise: what came out, or the message. */
typedef struct Try {
    const char *path, *name;
    Data *data;
    const Tensor *tensor;
    bool has_missing;
    const DataItem *items;
    int n;
} Try;

static void try_read(void *self) {
    Try *t = self;
    t->data = data_read(c, a, t->path, at);
    if (t->name) {
        const DataItem *item = data_find(t->data, t->name);
        ck_assert_msg(item != NULL, "no item %s", t->name);
        t->tensor = data_value(c, t->data, item, at);
        t->has_missing = item->has_missing;
    } else
        t->tensor = data_whole(c, a, t->data, "x", at, &t->has_missing);
}
static void try_write(void *self) {
    Try *t = self;
    data_write(c, t->path, t->items, t->n, at);
}

static Try get(const char *path, const char *name) {
    Try t = {.path = path, .name = name};
    Error e;
    ck_assert_msg(ctx_protect(c, try_read, &t, &e), "raised: %s", e.message);
    return t;
}

static void check_text(const char *got, const char *words) {
    ck_assert_msg(strstr(got, words) != NULL, "'%s' does not say '%s'", got, words);
}

static void fails(const char *path, const char *name, const char *words) {
    Try t = {.path = path, .name = name};
    Error e;
    ck_assert_msg(!ctx_protect(c, try_read, &t, &e), "not raised: %s", words);
    ck_assert_int_eq(e.kind, ERROR_PROGRAM);
    ck_assert_int_eq(e.span.line, 7);
    check_text(e.message, path);
    check_text(e.message, words);
}

static void check_tensor(const Tensor *t, Shape shape, const double *numbers) {
    ck_assert_msg(shape_equal(t->shape, shape), "shape %s", shape_text(a, t->shape));
    for (int64_t i = 0; i < shape_size(shape); i++) {
        double x = tensor_item(t, i);
        ck_assert_msg(x == numbers[i] || (isnan(x) && isnan(numbers[i])), "element %d is %g", (int)i, x);
    }
}
#define NUMBERS(...) ((const double[]){__VA_ARGS__})

/* -- Files -- */

START_TEST(files_are_read_whole) {
    size_t n;
    const char *text = file_read(c, a, put_bytes("x", "a\0b", 3), at, &n);
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(text, "a\0b\0", 4);
    fails(in_dir("none.csv"), NULL, "No such file");
    fails(dir, NULL, "it is a directory");
    fails(put("empty.csv", ""), NULL, "empty");
    fails(put("x.parquet", "PAR1"), NULL, "not of a known format");
    c->max_bytes = 10;
    fails(put("large.csv", "x\n1\n2\n3\n4\n5\n6\n"), NULL, "more than 10 bytes");
}
END_TEST

static const char *put_gzip(const char *name, const void *bytes, size_t n) {
    const char *path = in_dir(name);
    gzFile gz = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(gz, bytes, (unsigned)n), (int)n);
    gzclose(gz);
    return path;
}

START_TEST(gzip_is_undone) {
    check_tensor(get(put_gzip("a.csv.gz", "x\n1\n2\n", 6), "x").tensor, shape1(2), NUMBERS(1, 2));
    check_tensor(get(put_gzip("a.json", "{\"x\": 3}", 8), "x").tensor, SHAPE_SCALAR, NUMBERS(3));
    char random[5000];
    Stream s = stream_at(1, 0, 0, 0);
    for (size_t k = 0; k < sizeof random; k++) random[k] = (char)stream_u32(&s);
    const char *path = put_gzip("cut.csv.gz", random, sizeof random);
    ck_assert_int_eq(truncate(path, 3000), 0);
    fails(path, NULL, "cut short");
    path = put_gzip("broken.csv.gz", random, sizeof random);
    FILE *f = fopen(path, "r+b");
    fseek(f, -8, SEEK_END); /* the checksum */
    fputs("nonsense", f);
    fclose(f);
    fails(path, NULL, "incorrect data check");
    char *zeros = arena_alloc(a, 5 << 20); /* a bomb */
    c->max_bytes = 1 << 20;
    fails(put_gzip("bomb.csv.gz", zeros, 5 << 20), NULL, "more than 1048576 bytes");
}
END_TEST

START_TEST(files_are_replaced_whole) {
    size_t n;
    const char *path = put("out", "before");
    chmod(path, 0640);
    const char *link = in_dir("link");
    ck_assert_int_eq(symlink(path, link), 0);
    file_write(c, link, "after\0!", 7, at);
    struct stat st;
    ck_assert_int_eq(lstat(link, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_mem_eq(file_read(c, a, path, at, &n), "after\0!", 7);
    file_write(c, in_dir("new"), "", 0, at);
    file_write(c, "/dev/null", "x", 1, at);
    ck_assert_int_eq(system(arena_printf(a, "test $(ls %s | wc -l) = 3", dir)), 0); /* nothing else is left */
    Try t = {.path = in_dir("no/where.csv"), .n = 1, .items = (DataItem[]){{.name = "x", .value = tensor_scalar(c, a, 1)}}};
    Error e;
    ck_assert(!ctx_protect(c, try_write, &t, &e));
    check_text(e.message, "no/where.csv': No such file");
    t.path = arena_printf(a, "%s/sub.csv", dir);
    mkdir(t.path, 0777);
    ck_assert(!ctx_protect(c, try_write, &t, &e));
    check_text(e.message, "Is a directory");
}
END_TEST

START_TEST(a_failed_write_leaves_the_old_file) {
    size_t n;
    const char *path = put("out", "before");
    struct rlimit old, small;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 100, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    Error e;
    Try t = {.path = in_dir("out.npy"), .n = 1, .items = (DataItem[]){{.name = "x", .value = tensor_zeros(c, a, shape1(100))}}};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(rename(path, t.path), 0);
    bool done = ctx_protect(c, try_write, &t, &e);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert(!done);
    check_text(e.message, "File too large");
    ck_assert_str_eq(file_read(c, a, t.path, at, &n), "before");
    ck_assert_int_eq(system(arena_printf(a, "test $(ls %s | wc -l) = 1", dir)), 0);
}
END_TEST

/* -- JSON -- */

START_TEST(json_arrays) {
    const char *path = put("d.json", "\xEF\xBB\xBF{\"N\": 2, \"y\": [1, 2.5, -3e2], \"m\": [[1, 2, 3], [4, 5, 6]], \"e\": [], \"ee\": [[], []],\n"
                                     "\"b\": [true, false], \"s\": [\"Inf\", \"-Infinity\", \"NaN\", \"+inf\", Infinity, -Infinity, NaN],\n"
                                     "\"miss\": [1, null, \"NA\"], \"big\": 123456789012345678901234567890}");
    check_tensor(get(path, "N").tensor, SHAPE_SCALAR, NUMBERS(2));
    check_tensor(get(path, "y").tensor, shape1(3), NUMBERS(1, 2.5, -300));
    check_tensor(get(path, "m").tensor, shape2(2, 3), NUMBERS(1, 2, 3, 4, 5, 6));
    check_tensor(get(path, "e").tensor, shape1(0), NULL);
    check_tensor(get(path, "ee").tensor, shape2(2, 0), NULL);
    check_tensor(get(path, "b").tensor, shape1(2), NUMBERS(1, 0));
    Try s = get(path, "s"), miss = get(path, "miss");
    check_tensor(s.tensor, shape1(7), NUMBERS(INFINITY, -INFINITY, NAN, INFINITY, INFINITY, -INFINITY, NAN));
    ck_assert(!s.has_missing);
    check_tensor(miss.tensor, shape1(3), NUMBERS(1, NAN, NAN));
    ck_assert(miss.has_missing);
    check_tensor(get(path, "big").tensor, SHAPE_SCALAR, NUMBERS(123456789012345678901234567890.0));
    ck_assert_str_eq(s.data->items[2].name, "m");
    ck_assert_ptr_null(data_find(s.data, "none"));
    fails(path, NULL, "none of them is called 'x'");
    check_tensor(get(put("k.json", "{\"\\\\\\\" NaN\": 1, \"x\": NaN}"), "\\\" NaN").tensor, SHAPE_SCALAR, NUMBERS(1));
    check_tensor(get(put("one.json", "{\"y\": [1]}"), NULL).tensor, shape1(1), NUMBERS(1));
    check_tensor(get(put("list.json", "[[1, 2], [3, 4]]"), NULL).tensor, shape2(2, 2), NUMBERS(1, 2, 3, 4));
}
END_TEST

START_TEST(json_that_is_no_array) {
    const char *path = put("d.json", "{\"r\": [[1, 2], [3]], \"l\": [1, [2]], \"n\": [[1], 2], \"w\": [1, \"two\"], \"o\": {\"x\": 1},\n"
                                     "\"empty\": \"\", \"deep\": [[[[[[[[[[[[[1]]]]]]]]]]]]], \"fine\": 1}");
    fails(path, "r", "'r[2]' is a list of 1; expected a list of 2, for the lists to be rectangular");
    fails(path, "l", "'l[2]' is a list of 1; expected a number");
    fails(path, "n", "'n[2]' is a number; expected a list of 1");
    fails(path, "w", "'w[2]' is the text 'two'; expected a number");
    fails(path, "o", "'o' is an object");
    fails(path, "empty", "'empty' is the text ''");
    fails(path, "deep", "'deep' has more than 12 dimensions");
    check_tensor(get(path, "fine").tensor, SHAPE_SCALAR, NUMBERS(1));
    fails(put("a.json", "{\"x\": [1, 2,]}"), NULL, "line 1, column 13: this is no JSON");
    fails(put("a.json", "{\"x\": NaN,\n \"y\": NaN 3}"), NULL, "line 2, column 11");
    fails(put("a.json", "{\"x\": 1, \"x\": 2}"), NULL, "duplicate object key");
    fails(put("a.json", "{\"x\": 1} 2"), NULL, "end of file expected");
    fails(put("a.json", "3"), NULL, "this is no JSON");
    fails(put_bytes("a.json", "{\"x\": \0}", 8), NULL, "this is no JSON");
    fails(put("a.json", "[1, [2]]"), NULL, "expected a number");
    char deep[6000];
    memset(deep, '[', sizeof deep);
    fails(put_bytes("a.json", deep, sizeof deep), NULL, "this is no JSON");
}
END_TEST

/* -- CSV -- */

START_TEST(csv_columns) {
    const char *path = put("d.csv", "\xEF\xBB\xBF\"x\", y ,name,\"a \"\"b\"\"\"\r\n1,2.5,Oslo,\r\n\r\nNA, -3e2 ,\"New\nYork, NY\",4\r\n\"3\",inf,,TRUE");
    check_tensor(get(path, "x").tensor, shape1(3), NUMBERS(1, NAN, 3));
    ck_assert(get(path, "x").has_missing);
    check_tensor(get(path, "y").tensor, shape1(3), NUMBERS(2.5, -300, INFINITY));
    ck_assert(!get(path, "y").has_missing);
    check_tensor(get(path, "a \"b\"").tensor, shape1(3), NUMBERS(NAN, 4, 1));
    fails(path, "name", "line 2, column 'name': expected a number, got 'Oslo'");
    fails(path, NULL, "column 'name'");
    check_tensor(get(put("t.tsv", "x\ty\n1\t2\n3\t\n"), NULL).tensor, shape2(2, 2), NUMBERS(1, 2, 3, NAN));
    check_tensor(get(put("s.csv", "x;y\r1;2\r"), "y").tensor, shape1(1), NUMBERS(2));
    check_tensor(get(put("o.csv", "x\n1\n2\n"), NULL).tensor, shape1(2), NUMBERS(1, 2));
    check_tensor(get(put("n.csv", "1,2\n3,4\n"), NULL).tensor, shape2(2, 2), NUMBERS(1, 2, 3, 4));
    check_tensor(get(put("h.csv", "x,y\n"), "y").tensor, shape1(0), NULL);
    check_tensor(get(put("q.csv", "x\n\"\"\n\n5"), "x").tensor, shape1(2), NUMBERS(NAN, 5));
    check_tensor(get(put("mixed.csv", "x\n1\r2\r3\n4\r5"), "x").tensor, shape1(5), NUMBERS(1, 2, 3, 4, 5));
}
END_TEST

START_TEST(csv_that_is_broken) {
    fails(put("a.csv", "x,y\n1,2\n\n3\n"), NULL, "line 4 has 1 field, expected 2");
    fails(put("a.csv", "x,y\n1,2,3\n"), NULL, "line 2 has 3 fields, expected 2");
    fails(put("a.csv", "x,y\n1,\"2\n3,4\n"), NULL, "line 2: a quote is opened and never closed");
    fails(put("a.csv", "x,y\n1,\"2\"3\n"), NULL, "line 2: text behind a closing quote");
    fails(put("a.csv", "x,y,x\n"), NULL, "columns 1 and 3 are both called 'x'");
    fails(put_bytes("a.csv", "x\n1\n\0\n", 6), NULL, "byte 4 is zero");
    fails(put_bytes("a.csv", "\xFF\xFEx\0\n\0", 6), NULL, "UTF-16");
    fails(put("a.csv", "\n\n"), NULL, "no lines");
    fails(put("a.csv", "x\n0x10\n"), "x", "got '0x10'");
    fails(put("a.csv", "x\nnan(3)\n"), "x", "got 'nan(3)'");
    fails(put("a.csv", "x\n1 2\n"), "x", "got '1 2'");
    fails(put("a.csv", "x\n1e\n"), "x", "got '1e'");
    fails(put("a.csv", "1,2\n3,x\n"), NULL, "line 2, column '2': expected a number, got 'x'");
    size_t n = 3 << 20; /* one line */
    char *line = arena_alloc(a, n);
    memset(line, 'z', n);
    memcpy(line, "x\n", 2);
    fails(put_bytes("a.csv", line, n), "x", "got 'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz...'");
}
END_TEST

/* -- Binary formats -- */

static const char *put_npy(const char *head, int version, const void *numbers, size_t n) {
    Buf b = {0};
    size_t length = strlen(head);
    buf_add_bytes(&b, "\x93NUMPY", 6);
    buf_add_bytes(&b, (char[]){(char)version, 0, (char)length, (char)(length >> 8), 0, 0}, version == 1 ? 4 : 6);
    buf_add(&b, head);
    buf_add_bytes(&b, numbers, n);
    const char *path = put_bytes("a.npy", b.text, b.length);
    buf_free(&b);
    return path;
}

START_TEST(npy_arrays) {
    const char f8[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }   \n";
    check_tensor(get(put_npy(f8, 1, NUMBERS(1.5, NAN), 16), NULL).tensor, shape1(2), NUMBERS(1.5, NAN));
    check_tensor(get(put_npy(f8, 2, NUMBERS(1.5, 2), 16), NULL).tensor, shape1(2), NUMBERS(1.5, 2));
    check_tensor(get(put_npy("{'descr':'>i2','fortran_order':False,'shape':()}", 3, "\xFF\xFE", 2), NULL).tensor, SHAPE_SCALAR,
                 NUMBERS(-2));
    check_tensor(get(put_npy("{'shape': (2, 3), 'descr': '|u1', 'fortran_order': True}", 1, "\1\2\3\4\5\xFF", 6), NULL).tensor,
                 shape2(2, 3), NUMBERS(1, 3, 5, 2, 4, 255));
    check_tensor(get(put_npy("{'shape': (2,1,2), 'descr': '|i1', 'fortran_order': True}", 1, "\1\2\3\xFF", 4), NULL).tensor,
                 shape_of(3, (int64_t[]){2, 1, 2}), NUMBERS(1, 3, 2, -1));
    check_tensor(get(put_npy("{'shape': (2L,), 'descr': '|b1', 'fortran_order': False}", 1, "\0\1", 2), NULL).tensor, shape1(2),
                 NUMBERS(0, 1));
    check_tensor(get(put_npy("{'shape': (1,), 'descr': '>f4', 'fortran_order': False}", 1, "\x40\x20\0\0", 4), NULL).tensor, shape1(1),
                 NUMBERS(2.5));
    check_tensor(get(put_npy("{'shape': (1,), 'descr': '<u8', 'fortran_order': False}", 1, "\0\0\0\0\0\0\0\x80", 8), NULL).tensor,
                 shape1(1), NUMBERS(0x1p63));
    check_tensor(get(put_npy("{'shape': (1,), 'descr': '<i8', 'fortran_order': False}", 1, "\0\0\0\0\0\0\0\x80", 8), NULL).tensor,
                 shape1(1), NUMBERS(-0x1p63));
}
END_TEST

START_TEST(npy_that_is_broken) {
    fails(put_npy("{'shape': (3,), 'descr': '<f8', 'fortran_order': False}", 1, NUMBERS(1, 2), 16), NULL, "cut short");
    fails(put_npy("{'shape': (9223372036854775807, 9), 'descr': '<f8', 'fortran_order': False}", 1, "", 0), NULL, "a size is too large");
    fails(put_npy("{'shape': (900000000000000000, 900000000000), 'descr': '<f8', 'fortran_order': False}", 1, "", 0), NULL,
          "does not fit");
    fails(put_npy("{'shape': (2305843009213693952,), 'descr': '<f8', 'fortran_order': False}", 1, "", 0), NULL, "does not fit");
    fails(put_npy("{'shape': (1,), 'descr': '<c16', 'fortran_order': False}", 1, "", 0), NULL, "of type '<c16'");
    fails(put_npy("{'shape': (1,), 'descr': '<f2', 'fortran_order': False}", 1, "", 0), NULL, "of type '<f2'");
    fails(put_npy("{'shape': (1,), 'descr': [('x', '<f8')], 'fortran_order': False}", 1, "", 0), NULL, "holds records");
    fails(put_npy("{'shape': (1,), 'descr': '<f8'}", 1, NUMBERS(1), 8), NULL, "lacks");
    fails(put_npy("{'shape': (-1,), 'descr': '<f8'}", 1, "", 0), NULL, "expected a size");
    fails(put_npy("{'shape': (1,,), 'descr': '<f8'}", 1, "", 0), NULL, "expected a size");
    fails(put_npy("{'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1), 'descr': '<f8'}", 1, "", 0), NULL, "more than 12");
    fails(put_npy("{'shape", 1, "", 0), NULL, "a string without end");
    fails(put_npy("", 1, "", 0), NULL, "expected '{'");
    fails(put_npy("{}", 4, "", 0), NULL, "version 4");
    fails(put_bytes("a.npy", "\x93NUMPY\1\0\xFF\xFF{", 11), NULL, "ends within its header");
    fails(put("a.npy", "x,y"), NULL, "not a NumPy file");
}
END_TEST

START_TEST(idx_arrays) {
    static const char bytes[] = "\0\0\x08\2\0\0\0\2\0\0\0\3\1\2\3\4\5\xFF";
    check_tensor(get(put_bytes("x-idx2-ubyte", bytes, 18), NULL).tensor, shape2(2, 3), NUMBERS(1, 2, 3, 4, 5, 255));
    check_tensor(get(put_gzip("x-idx2-ubyte.gz", bytes, 18), NULL).tensor, shape2(2, 3), NUMBERS(1, 2, 3, 4, 5, 255));
    check_tensor(get(put_bytes("x.idx", "\0\0\x0C\1\0\0\0\2\xFF\xFF\xFF\xFF\0\0\1\0", 16), NULL).tensor, shape1(2), NUMBERS(-1, 256));
    check_tensor(get(put_bytes("x.idx", "\0\0\x0E\0\x40\4\0\0\0\0\0\0", 12), NULL).tensor, SHAPE_SCALAR, NUMBERS(2.5));
    fails(put_bytes("x-idx", bytes, 17), NULL, "the shape [2, 3] of 1-byte numbers does not fit the 5 bytes");
    fails(put_bytes("x-idx", bytes, 10), NULL, "ends within its header");
    fails(put_bytes("x-idx", "\0\0\x0A\1\0\0\0\0", 8), NULL, "0x0a is not one of its types");
    fails(put_bytes("x-idx", "\0\0\x08\xFF", 4), NULL, "255 dimensions");
    fails(put_bytes("x-idx", "\0\0\x08\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16), NULL, "does not fit");
    fails(put("x.idx.gz", "words"), NULL, "two zero bytes");
}
END_TEST

static const char *put_safetensors(const char *head, const void *numbers, size_t n) {
    Buf b = {0};
    buf_add_bytes(&b, (char[]){(char)strlen(head), 0, 0, 0, 0, 0, 0, 0}, 8);
    buf_add(&b, head);
    buf_add_bytes(&b, numbers, n);
    const char *path = put_bytes("a.safetensors", b.text, b.length);
    buf_free(&b);
    return path;
}

START_TEST(safetensors_arrays) {
    const char *path = put_safetensors("{\"__metadata__\":{\"a\":\"b\"},\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", "\7\1\2", 3);
    check_tensor(get(path, "x").tensor, shape1(2), NUMBERS(1, 2));
    ck_assert_int_eq(get(path, "x").data->n, 1);
    fails(put_safetensors("{\"x\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}", "ab", 2), "x", "type 'BF16'");
    fails(put_safetensors("{\"x\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", "ab", 2), NULL, "outside the file");
    fails(put_safetensors("{\"x\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,2]}}", "ab", 2), NULL, "does not fit");
    fails(put_safetensors("{\"x\":{\"dtype\":\"U8\",\"shape\":[-3],\"data_offsets\":[0,2]}}", "ab", 2), NULL, "something else than sizes");
    fails(put_safetensors("{\"x\":3}", "", 0), NULL, "no dtype");
    fails(put_bytes("a.safetensors", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10), NULL, "ends within its header");
}
END_TEST

/* -- Writing -- */

static Tensor *tensor_of(Shape s, const double *numbers) {
    Tensor *t = tensor_new(c, a, s);
    for (int64_t i = 0; i < shape_size(s); i++) t->data[i] = numbers[i];
    return t;
}

static const char *text_of(const char *path) {
    size_t n;
    return file_read(c, a, path, at, &n);
}

START_TEST(what_is_written_reads_back) {
    static const char *const names[] = {"d.json", "d.safetensors", "d.csv", "d.npy"};
    const double numbers[] = {0.1, 1e-300, -0.0, INFINITY, NAN, 1.0 / 3, 5e-324, -1e22, 12};
    DataItem items[] = {{.name = "x", .value = tensor_of(shape1(9), numbers)},
                        {.name = "theta", .value = tensor_of(shape_of(3, (int64_t[]){9, 1, 1}), numbers)}};
    for (int k = 0; k < 4; k++) {
        int n = k == 3 ? 1 : 2;
        data_write(c, in_dir(names[k]), items, n, at);
        check_tensor(get(in_dir(names[k]), k == 3 ? NULL : "x").tensor, shape1(9), numbers);
        if (k < 2) check_tensor(get(in_dir(names[k]), "theta").tensor, items[1].value->shape, numbers);
        if (k == 2) check_tensor(get(in_dir(names[k]), "theta[1,1]").tensor, shape1(9), numbers);
    }
}
END_TEST

START_TEST(csv_and_json_texts) {
    const double numbers[] = {1, 2, 3, 4, 5, NAN};
    const Tensor *m = tensor_of(shape2(2, 3), numbers), *v = tensor_of(shape1(2), numbers);
    DataItem items[] = {{.name = "v", .value = v}, {.name = "m", .value = tensor_view_permute(a, m, (int[]){0, 1}), .has_missing = true}};
    data_write(c, in_dir("o.csv"), items, 2, at);
    ck_assert_str_eq(text_of(in_dir("o.csv")), "v,m[1],m[2],m[3]\n1,1,2,3\n2,4,5,NA\n");
    data_write(c, in_dir("o.json"), items, 2, at);
    ck_assert_str_eq(text_of(in_dir("o.json")), "{\n \"v\": [1, 2],\n \"m\": [[1, 2, 3], [4, 5, null]]\n}\n");
    DataItem turned = {.name = "t", .value = tensor_view_permute(a, m, (int[]){1, 0})};
    data_write(c, in_dir("o.npy"), &turned, 1, at);
    check_tensor(get(in_dir("o.npy"), NULL).tensor, shape2(3, 2), NUMBERS(1, 4, 2, 5, 3, NAN));
    Try t = {.path = in_dir("o.npy"), .items = items, .n = 2};
    Error e;
    ck_assert(!ctx_protect(c, try_write, &t, &e));
    check_text(e.message, "holds one array, 2 were given");
    t.path = in_dir("o.txt");
    ck_assert(!ctx_protect(c, try_write, &t, &e));
    check_text(e.message, "ending");
    items[1].value = tensor_of(shape1(3), numbers);
    t.path = in_dir("o.csv");
    ck_assert(!ctx_protect(c, try_write, &t, &e));
    check_text(e.message, "'v' has 2 rows, 'm' has 3");
}
END_TEST

/* Files with some bytes changed, or cut, or doubled, give data or a message, never anything worse. */
START_TEST(broken_bytes_never_crash) {
    const char *paths[] = {
        put("m.json", "{\"N\": 2, \"y\": [1, 2.5, null], \"m\": [[1, \"Inf\"], [true, -Infinity]], \"o\": {\"a\": [NaN]}}"),
        put("m.csv", "x,\"y\"\"\",z\r\n1,2,NA\n\"3\",4e5,word\n,,\n"),
        in_dir("m.npy"),
        put_bytes("m.idx", "\0\0\x0B\2\0\0\0\2\0\0\0\3\1\2\3\4\5\6\7\7\7\7\7\7", 24),
        in_dir("m.safetensors"),
    };
    DataItem items[] = {{.name = "x", .value = tensor_of(shape2(1, 2), NUMBERS(1, 2))}, {.name = "y", .value = tensor_scalar(c, a, 3)}};
    data_write(c, paths[2], items, 1, at);
    data_write(c, paths[4], items, 2, at);
    c->max_bytes = 1 << 20;
    Stream s = stream_at(3, 0, 0, 0);
    int read = 0, refused = 0;
    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
        size_t n, whole;
        const char *bytes = file_read(c, a, paths[k], at, &whole);
        for (int round = 0; round < 1500; round++) {
            ArenaMark mark = arena_mark(a);
            char *changed = arena_copy(a, bytes, whole);
            n = stream_u32(&s) % 4 ? whole : stream_u32(&s) % (whole + 1);
            for (uint32_t changes = stream_u32(&s) % 4; changes-- > 0;) {
                static const char telling[] = "\0\xFF\"'{}[](),:-1e9\n\r\\nN";
                uint32_t kind = stream_u32(&s) % 3, where = stream_u32(&s) % (uint32_t)whole;
                changed[where] = kind == 0 ? (char)stream_u32(&s) : kind == 1 ? telling[stream_u32(&s) % sizeof telling]
                                                                             : changed[stream_u32(&s) % whole];
            }
            Try t = {.path = put_bytes(strrchr(paths[k], '/') + 1, changed, n)};
            Error e;
            if (ctx_protect(c, try_read, &t, &e))
                read++;
            else {
                ck_assert_int_eq(e.kind, ERROR_PROGRAM);
                refused++;
            }
            arena_rewind(a, mark);
        }
    }
    ck_assert_int_gt(read, 500);
    ck_assert_int_gt(refused, 500);
}
END_TEST

int main(void) {
    static const TTest *const *const tests[] = {
        &files_are_read_whole, &gzip_is_undone, &files_are_replaced_whole,
        &a_failed_write_leaves_the_old_file,
        &json_arrays, &json_that_is_no_array, &csv_columns, &csv_that_is_broken,
        &npy_arrays, &npy_that_is_broken, &idx_arrays, &safetensors_arrays,
        &what_is_written_reads_back, &csv_and_json_texts, &broken_bytes_never_crash,
    };
    Suite *suite = suite_create("io");
    TCase *tcase = tcase_create("io");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++) tcase_add_test(tcase, *tests[k]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
