#include "pictures/gnuplot.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/file.h"

extern char **environ;

/* -- The script -- */

/* Okabe and Ito's colours, that everybody tells apart, and grey; bands are the first one, lighter. */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#E69F00", "#56B4E9", "#000000", "#888888"};
static const char *const shades[] = {"#D3E5F2", "#9CC6E2"};
enum { NCOLOURS = sizeof colours / sizeof *colours };

/* A text as gnuplot reads it between single quotes: nothing in it means anything, but a quote is written twice. */
static void add_text(Buf *b, const char *text) {
    buf_add_char(b, '\'');
    for (; text && *text; text++) {
        if (*text == '\'') buf_add_char(b, '\'');
        buf_add_char(b, (unsigned char)*text < ' ' ? ' ' : *text);
    }
    buf_add_char(b, '\'');
}

static void add_setting(Buf *b, const char *name, const char *text) {
    if (!text) return;
    buf_printf(b, "set %s ", name);
    add_text(b, text);
    buf_add_char(b, '\n');
}

static void add_value(Buf *b, double v) {
    buf_add_char(b, ' ');
    if (isfinite(v))
        buf_add_double(b, v);
    else
        buf_add(b, "NaN");
}

static void begin_data(Buf *b, int k) { buf_printf(b, "$d%d << END\n", k); }

static void add_point(Buf *b, const Series *s, int64_t k) {
    add_value(b, s->x[k]);
    add_value(b, s->y[k]);
    if (s->high) add_value(b, s->high[k]);
    buf_add_char(b, '\n');
}

/* gnuplot takes 20 us for a point, and for a line of a million minutes: what many of them would draw twice is left out. */
enum { MANY = 10000, PLACES_WIDE = 1600, PLACES_HIGH = 1200 };

static int place_along(Extent r, double v, int places) { return (int)((v - r.low) / (r.high - r.low) * (places - 1)); }

static bool lies_in(Extent r, double v) { return v >= r.low && v <= r.high; }

static bool has_place(const Panel *p, const Series *s, int64_t k) { return lies_in(p->x, s->x[k]) && lies_in(p->y, s->y[k]); }

/* One point on each place of the picture. */
static void add_many_points(Buf *b, const Panel *p, const Series *s) {
    Arena *scratch = arena_new();
    bool *taken = ARENA_ARRAY(scratch, bool, PLACES_WIDE * PLACES_HIGH);
    for (int64_t k = 0; k < s->n; k++) {
        if (has_place(p, s, k)) {
            bool *place = &taken[place_along(p->y, s->y[k], PLACES_HIGH) * PLACES_WIDE + place_along(p->x, s->x[k], PLACES_WIDE)];
            if (*place) continue;
            *place = true;
        }
        add_point(b, s, k);
    }
    arena_free(scratch);
}

/* Of neighbours in one column of the picture the first, the lowest, the highest and the last draw the same line (Jugel,
 * Jerzak, Hackenbroich, Markl 2014). */
static void add_long_line(Buf *b, const Panel *p, const Series *s) {
    for (int64_t k = 0, end; k < s->n; k = end) {
        int64_t low = k, high = k;
        int column = has_place(p, s, k) ? place_along(p->x, s->x[k], PLACES_WIDE) : -1;
        for (end = k + 1; column >= 0 && end < s->n && has_place(p, s, end) && place_along(p->x, s->x[end], PLACES_WIDE) == column; end++) {
            if (s->y[end] < s->y[low]) low = end;
            if (s->y[end] > s->y[high]) high = end;
        }
        int64_t kept[4] = {k, low < high ? low : high, low < high ? high : low, end - 1};
        for (int i = 0; i < 4; i++)
            if (i == 0 || kept[i] > kept[i - 1]) add_point(b, s, kept[i]);
    }
}

static void add_series_data(Buf *b, const Panel *p, const Series *s, int number) {
    begin_data(b, number);
    if (s->n > MANY && s->mark == MARK_POINTS) add_many_points(b, p, s);
    else if (s->n > MANY && s->mark == MARK_LINE) add_long_line(b, p, s);
    else
        for (int64_t k = 0; k < s->n; k++) add_point(b, s, k);
    buf_add(b, "END\n");
}

/* Points as large as their number leaves them apart. */
static double point_size(int64_t n, PanelRoom room) {
    return (n <= 100 ? 0.9 : n <= 1000 ? 0.5 : 0.25) * (room == ROOM_WHOLE ? 1 : 0.6);
}

static void add_curves(Buf *b, const Panel *p) {
    int named = 0, colour = 0, bands = 0;
    for (int k = 0; k < p->nseries; k++) named += p->series[k].name != NULL, add_series_data(b, p, &p->series[k], k);
    if (named) buf_add(b, "set key outside bottom center horizontal Left reverse samplen 2\nset bmargin 6\n");
    buf_add(b, "plot");
    for (int k = 0; k < p->nseries; k++) {
        const Series *s = &p->series[k];
        buf_printf(b, "%s $d%d using ", k ? "," : "", k);
        if (s->mark == MARK_BAND)
            buf_printf(b, "1:2:3 with filledcurves fs solid 1 noborder lc rgb '%s'", shades[bands++ ? 1 : 0]);
        else if (s->mark == MARK_LINE)
            buf_printf(b, "1:2 with lines lw 2 lc rgb '%s'", colours[colour++ % NCOLOURS]);
        else
            buf_printf(b, "1:2 with points pt 7 ps %g lc rgb '%s'", point_size(s->n, p->room),
                       colours[colour++ % NCOLOURS]);
        buf_add(b, s->name ? " title " : " notitle");
        if (s->name) add_text(b, s->name);
    }
    buf_add_char(b, '\n');
}

static void add_bars(Buf *b, const Panel *p) {
    bool shares = p->kind == PANEL_SHARES;
    double width = shares ? 1 : (p->x.high - p->x.low) / p->nbars, first = shares ? p->first : p->x.low + 0.5 * width;
    begin_data(b, 0);
    for (int k = 0; k < p->nbars; k++) {
        add_value(b, first + width * k);
        add_value(b, p->bars[k]);
        buf_add_char(b, '\n');
    }
    buf_printf(b,
               "END\nset boxwidth %.9g\nset style fill solid %s\nplot $d0 using 1:2 with boxes lc rgb '%s' notitle\n",
               shares ? 0.7 : width, shares ? "noborder" : "border rgb 'white'", colours[0]);
}

/* The range of an axis with `margin` of its length at both ends. */
static void add_range(Buf *b, char axis, Extent r, double margin) {
    double m = margin * (r.high - r.low);
    buf_printf(b, "set %crange [%.17g:%.17g]\n", axis, r.low - m, r.high + m);
}

/* 1, 2 or 5 times a power of ten: some three to a range, for small panels. */
static double tic_step(Extent r) {
    double raw = (r.high - r.low) / 3, power = pow(10, floor(log10(raw))), digit = raw / power;
    return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

static void add_axes(Buf *b, const Panel *p) {
    buf_add(b,
            "unset label\nunset key\nunset title\nunset xlabel\nunset ylabel\nset border 3 lc rgb '#666666'\n"
            "set tics nomirror out textcolor rgb '#333333'\nset xtics nomirror autofreq\nset ytics nomirror autofreq\n"
            "set grid xtics ytics lc rgb '#E6E6E6' lt 1\n");
    static const int margins[] = {
        [ROOM_WHOLE] = -1, [ROOM_LINE] = 3, [ROOM_PLACE] = 10}; /* -1: as much as the labels need */
    buf_printf(b, "set tics font ',%d'\nset lmargin %d\nset bmargin -1\n", p->room == ROOM_WHOLE ? 10 : 8,
               margins[p->room]);
    bool whole = p->room == ROOM_WHOLE, shares = p->kind == PANEL_SHARES;
    if (!whole && !p->nothing && p->x.high > p->x.low)
        buf_printf(b, "set xtics %.9g\n", fmax(tic_step(p->x), shares));
    else if (shares)
        buf_add(b, "set xtics 1\n");
    add_setting(b, "xlabel", p->x_label);
    add_setting(b, "ylabel", shares && whole ? "share" : p->y_label);
    if (p->kind == PANEL_CURVES) {
        bool points = false;
        for (int k = 0; k < p->nseries; k++) points = points || p->series[k].mark == MARK_POINTS;
        add_range(b, 'x', p->x, points ? 0.03 : 0);
        add_range(b, 'y', p->y, p->y.low == 0 ? 0 : 0.03);
        return;
    }
    double most = 0;
    for (int k = 0; k < p->nbars; k++) most = fmax(most, p->bars[k]);
    add_range(b, 'y', (Extent){0, most * (p->left_out ? 1.15 : 1.05)}, 0);
    add_range(b, 'x', p->x, 0);
    if (shares) buf_add(b, "set grid noxtics\n");
    if (!shares || !whole) buf_add(b, "unset ytics\nset grid noytics\nset border 1 lc rgb '#666666'\n");
}

/* The title of a small histogram tells its mean and standard deviation too. */
static void add_title(Buf *b, const Panel *p) {
    if (!p->title) return;
    Buf text = {0};
    buf_add(&text, p->title);
    if (p->room == ROOM_LINE && !p->nothing) {
        buf_add(&text, "   ");
        buf_add_number(&text, p->mean, 4);
        buf_add(&text, " \xC2\xB1 ");
        buf_add_number(&text, p->sd, 4);
    }
    add_setting(b, "title", text.text);
    buf_free(&text);
}

/* A panel without axes, with a text in its middle. */
static void add_words(Buf *b, const char *text) {
    buf_add(b, "unset border\nunset tics\nunset grid\nunset xlabel\nunset ylabel\nset label ");
    add_text(b, text);
    buf_add(b, " at graph 0.5, graph 0.5 center\nset xrange [0:1]\nset yrange [0:1]\nplot NaN notitle\n");
}

static void add_panel(Buf *b, const Panel *p) {
    if (p->kind == PANEL_EMPTY) return;
    add_axes(b, p);
    if (p->kind == PANEL_TEXT) {
        add_words(b, p->title);
        return;
    }
    add_title(b, p);
    if (p->left_out && p->room == ROOM_WHOLE)
        buf_printf(b,
                   "set label '%lld not finite, left out' at graph 0.99, graph 0.97 right front font ',9' textcolor "
                   "rgb '#666666'\n",
                   (long long)p->left_out);
    if (p->nothing)
        add_words(b, "no number is finite");
    else if (p->kind == PANEL_CURVES)
        add_curves(b, p);
    else
        add_bars(b, p);
}

/* -- The page: rows of panels from above, each panel some pixels -- */

enum { WHOLE_WIDTH = 800, WHOLE_HEIGHT = 480, HEAD = 40 };

typedef struct Page {
    int width, height; /* pixels */
    int place_width, place_height, whole_height;
} Page;

static Page page_of(const Figure *f) {
    int wholes = 0, places = 0;
    for (int k = 0; k < f->n; k++) *(f->panels[k].room == ROOM_WHOLE ? &wholes : &places) += 1;
    int columns = places ? f->columns : 0, rows = places ? (places + columns - 1) / columns : 0;
    int width = columns * (columns > 4 ? 220 : 300);
    Page p = {.width = width > WHOLE_WIDTH ? width : WHOLE_WIDTH};
    p.whole_height = places ? 2 * WHOLE_HEIGHT / 3 : WHOLE_HEIGHT;
    p.place_width = columns ? p.width / columns : p.width;
    p.place_height = columns > 4 ? 180 : 240;
    p.height = wholes * p.whole_height + rows * p.place_height + (f->title ? HEAD : 0) + (f->note ? HEAD : 0);
    return p;
}

static void add_page_text(Buf *b, const char *text, double height) {
    if (!text) return;
    buf_add(b, "set label ");
    add_text(b, text);
    buf_printf(b, " at screen 0.5, screen %.6f center\n", height);
}

/* A panel of nothing holds the page's own texts. */
static void add_page_texts(Buf *b, const Figure *f, const Page *page) {
    if (!f->title && !f->note) return;
    buf_add(b, "set origin 0,0\nset size 1,1\nunset border\nunset tics\nunset key\n");
    add_page_text(b, f->title, 1 - 0.5 * HEAD / page->height);
    add_page_text(b, f->note, 0.5 * HEAD / page->height);
    buf_add(b, "plot [0:1] [0:1] NaN notitle\nunset label\n");
}

static void add_figure(Buf *b, const Figure *f, bool svg) {
    Page page = page_of(f);
    buf_printf(b,
               "set encoding utf8\nset terminal %s noenhanced size %d,%d font 'sans,%d' background rgb 'white'\nset "
               "multiplot\n",
               svg ? "svg" : "pngcairo", page.width, page.height, svg ? 12 : 10);
    add_page_texts(b, f, &page);
    int top = f->title ? HEAD : 0, column = 0;
    for (int k = 0; k < f->n; k++) {
        const Panel *p = &f->panels[k];
        bool whole = p->room == ROOM_WHOLE;
        int width = whole ? page.width : page.place_width, height = whole ? page.whole_height : page.place_height;
        if (column && (whole || column == f->columns)) top += page.place_height, column = 0;
        buf_printf(b, "set origin %.6f,%.6f\nset size %.6f,%.6f\n", (double)(whole ? 0 : column * width) / page.width,
                   1 - (double)(top + height) / page.height, (double)width / page.width, (double)height / page.height);
        add_panel(b, p);
        if (whole)
            top += height;
        else
            column++;
    }
    buf_add(b, "unset multiplot\n");
}

/* -- The program: what it reads and writes are files without a name, so neither side waits for the other -- */

typedef enum Stream { STREAM_IN, STREAM_OUT, STREAM_ERROR, NSTREAMS } Stream;

static bool write_whole(int fd, const char *text, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        text += done, n -= (size_t)done;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

/* What stands in a stream, in `a`; it ends in 0. */
static char *read_whole(Arena *a, int fd, size_t *n) {
    struct stat st;
    size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    char *text = arena_alloc(a, size + 1);
    for (*n = 0; *n < size;) {
        ssize_t got = pread(fd, text + *n, size - *n, (off_t)*n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        *n += (size_t)got;
    }
    text[*n] = 0;
    return text;
}

/* 0 and the status of its end, or the errno. */
static int run_program(const int streams[NSTREAMS], int *status) {
    char *arguments[] = {(char[]){"gnuplot"}, (char[]){"-d"}, NULL}; /* -d: the user's settings are not read */
    posix_spawn_file_actions_t actions;
    pid_t pid;
    if (posix_spawn_file_actions_init(&actions) != 0) return ENOMEM;
    int failed = 0;
    for (int k = 0; k < NSTREAMS && !failed; k++) failed = posix_spawn_file_actions_adddup2(&actions, streams[k], k);
    if (!failed) failed = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) return failed;
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR) return errno;
    return 0;
}

typedef struct Outcome {
    int failed; /* an errno; 0: it ran */
    int status;
    const char *picture, *said;
    size_t size, length;
} Outcome;

static Outcome run_script(Arena *a, const Buf *script) {
    Outcome o = {0};
    int streams[NSTREAMS];
    for (int k = 0; k < NSTREAMS; k++)
        if ((streams[k] = memfd_create("gnuplot", MFD_CLOEXEC)) < 0) o.failed = errno;
    if (!o.failed && !write_whole(streams[STREAM_IN], script->text, script->length)) o.failed = errno;
    if (!o.failed) o.failed = run_program(streams, &o.status);
    if (!o.failed) {
        o.picture = read_whole(a, streams[STREAM_OUT], &o.size);
        o.said = read_whole(a, streams[STREAM_ERROR], &o.length);
    }
    for (int k = 0; k < NSTREAMS; k++)
        if (streams[k] >= 0) close(streams[k]);
    return o;
}

/* The line of its words that says what is wrong. */
static const char *last_words(Arena *a, const char *said) {
    const char *line = "nothing", *end;
    for (; *said; said = *end ? end + 1 : end) {
        end = said + strcspn(said, "\n");
        const char *first = said + strspn(said, " \t^\r");
        if (first < end) line = arena_printf(a, "%.*s", (int)(end - first < 300 ? end - first : 300), first);
    }
    return line;
}

void gnuplot_write(Ctx *c, Arena *a, const Figure *f, const char *path, Span at) {
    Buf script = {0};
    size_t length = strlen(path);
    add_figure(&script, f, length > 4 && strcmp(path + length - 4, ".svg") == 0);
    Outcome o = run_script(a, &script);
    buf_free(&script);
    if (o.failed == ENOENT)
        ctx_raise(c, ERROR_PROGRAM, at,
                  "install the package gnuplot (gnuplot-nox); without a file the picture is drawn in the terminal",
                  "plots are drawn into files by gnuplot, which is not there");
    if (o.failed) ctx_raise(c, ERROR_PROGRAM, at, NULL, "gnuplot cannot be run: %s", strerror(o.failed));
    if (c->interrupted && *c->interrupted) ctx_raise(c, ERROR_INTERRUPT, at, NULL, "interrupted");
    if (WIFSIGNALED(o.status) || WEXITSTATUS(o.status) != 0 || o.size == 0)
        ctx_raise(c, ERROR_PROGRAM, at, NULL, "gnuplot has failed and says: %s", last_words(a, o.said));
    file_write(c, path, o.picture, o.size, at);
}
