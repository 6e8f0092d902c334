/* show_images(...): a grid of images, as a PNG file or as characters. */
#include <math.h>

#include "interp/builtins.h"
#include "io/pixels.h"
#include "pictures/pictures.h"

enum { GAP = 2 }; /* pixels between images */

typedef enum ImagesArgument { X, ROWS, FILE_NAME, SHAPE, RANGE, ZOOM, WIDTH, ASCII } ImagesArgument;

typedef struct Images {
    const real *values; /* [n, height, width, channels] */
    int64_t n, height, width;
    int channels;     /* 1 or 3 */
    double low, high; /* black and white */
} Images;

/* -- What is shown -- */

/* The last dimensions of x that are one image, as the argument `shape` says it. */
static void read_shape(Interp *in, const Args *args, Images *im, Shape x) {
    Array a = arg_array(in, args, SHAPE, "`shape`");
    const Tensor *t = tensor_dense(in->ctx, in->arena, a.var.value);
    int64_t n = shape_size(t->shape);
    bool fine = n == 2 || n == 3;
    for (int64_t k = 0; fine && k < n; k++)
        fine = t->data[k] >= 1 && t->data[k] <= PIXELS_MOST && t->data[k] == rint(t->data[k]);
    if (!fine || (n == 3 && t->data[2] != 1 && t->data[2] != 3))
        builtin_fail(in, args, SHAPE, "`shape` is [height, width] or [height, width, 3] of one image");
    im->height = (int64_t)t->data[0], im->width = (int64_t)t->data[1], im->channels = n == 3 ? (int)t->data[2] : 1;
    int64_t size = im->height * im->width * im->channels, last = 1;
    int d = x.rank;
    while (d > 0 && last < size) last *= x.dim[--d];
    if (last != size)
        builtin_fail(in, args, X, "an image of `shape` has %lld numbers, which the last dimensions of %s do not give",
                     (long long)size, shape_text(in->arena, x));
}

/* Without `shape`: [n, h, w], [n, h, w, 1 or 3]; what is flat is square. */
static void guess_shape(Interp *in, const Args *args, Images *im, Shape x) {
    const char *text = shape_text(in->arena, x);
    im->channels = 1;
    if (x.rank == 1 || x.rank == 2) {
        int64_t size = x.dim[x.rank - 1], side = (int64_t)rint(sqrt((double)size));
        if (side * side != size)
            ctx_raise(in->ctx, ERROR_PROGRAM, arg_span(args, X), "shape = [height, width] says what an image is",
                      "flat images are taken to be square, and %lld is no square of a whole number", (long long)size);
        im->height = im->width = side;
    } else if (x.rank == 3 || (x.rank == 4 && (x.dim[3] == 1 || x.dim[3] == 3))) {
        im->height = x.dim[1], im->width = x.dim[2], im->channels = x.rank == 4 ? (int)x.dim[3] : 1;
    } else {
        builtin_fail(in, args, X,
                     "images are an array [n, height * width], [n, height, width] or [n, height, width, 3], not %s",
                     text);
    }
}

static void read_range(Interp *in, const Args *args, Images *im) {
    im->low = 0, im->high = 1;
    if (!arg_given(args, RANGE)) return;
    Array a = arg_array(in, args, RANGE, "`range`");
    const Tensor *t = tensor_dense(in->ctx, in->arena, a.var.value);
    if (shape_size(t->shape) != 2 || !isfinite(t->data[0]) || !isfinite(t->data[1]) || t->data[0] == t->data[1])
        builtin_fail(in, args, RANGE, "`range` is [black, white], two different numbers");
    im->low = (double)t->data[0], im->high = (double)t->data[1];
}

/* Numbers far outside the range are told of: pixels from 0 to 255, most likely. */
static void warn_of_range(Interp *in, const Args *args, const Images *im) {
    double low = INFINITY, high = -INFINITY;
    int64_t size = im->n * im->height * im->width * im->channels;
    for (int64_t k = 0; k < size; k++)
        if (isfinite(im->values[k])) low = fmin(low, (double)im->values[k]), high = fmax(high, (double)im->values[k]);
    double first = fmin(im->low, im->high), last = fmax(im->low, im->high), length = last - first;
    if (!(high > last + length || low < first - length)) return;
    ctx_warn(in->ctx, WARNING_PIXEL_RANGE, arg_span(args, X),
             arena_printf(in->arena, "range = [%.6g, %.6g] shows all of them", low, high),
             "the numbers go from %.6g to %.6g, but black is %.6g and white is %.6g", low, high, im->low, im->high);
}

static Images read_images(Interp *in, const Args *args) {
    Images im = {0};
    Array a = arg_array(in, args, X, "the images");
    const Tensor *t = tensor_dense(in->ctx, in->arena, a.var.value);
    im.values = t->data;
    if (shape_size(t->shape) == 0 || t->shape.rank == 0)
        builtin_fail(in, args, X, "there are no images in an array of shape %s", shape_text(in->arena, t->shape));
    if (arg_given(args, SHAPE))
        read_shape(in, args, &im, t->shape);
    else
        guess_shape(in, args, &im, t->shape);
    im.n = shape_size(t->shape) / (im.height * im.width * im.channels);
    read_range(in, args, &im);
    warn_of_range(in, args, &im);
    return im;
}

/* From 0 to 1; NaN stays. */
static double level_of(const Images *im, int64_t image, int64_t row, int64_t column, int channel) {
    double v = (double)im->values[((image * im->height + row) * im->width + column) * im->channels + channel];
    return isnan(v) ? v : fmin(fmax((v - im->low) / (im->high - im->low), 0), 1);
}

/* -- Pixels -- */

static bool has_nan(const Images *im) {
    int64_t size = im->n * im->height * im->width * im->channels;
    for (int64_t k = 0; k < size; k++)
        if (isnan(im->values[k])) return true;
    return false;
}

static void set_pixel(const Pixels *p, int64_t row, int64_t column, const unsigned char colour[3]) {
    unsigned char *at = p->bytes + (row * p->width + column) * p->channels;
    for (int c = 0; c < p->channels; c++) at[c] = colour[c];
}

static void draw_image(const Pixels *p, const Images *im, int64_t image, int64_t top, int64_t left, int64_t zoom) {
    static const unsigned char nan_colour[3] = {213, 94,
                                                0}; /* vermilion: Okabe and Ito's colours, that everybody tells apart */
    for (int64_t row = 0; row < im->height; row++)
        for (int64_t column = 0; column < im->width; column++) {
            unsigned char colour[3];
            bool known = true;
            for (int c = 0; c < 3; c++) {
                double level = level_of(im, image, row, column, c < im->channels ? c : 0);
                known = known && !isnan(level);
                colour[c] = (unsigned char)(isnan(level) ? 0 : lround(255 * level));
            }
            for (int64_t k = 0; k < zoom * zoom; k++)
                set_pixel(p, top + row * zoom + k / zoom, left + column * zoom + k % zoom, known ? colour : nan_colour);
        }
}

static void write_images(Interp *in, const Args *args, const PicturePlace *place, const Images *im, int64_t rows) {
    enum { SMALL = 64 }; /* pixels: below this an image is hard to see */
    static const unsigned char between[3] = {160, 160, 160};
    int64_t columns = (im->n + rows - 1) / rows, side = im->height > im->width ? im->height : im->width;
    rows = (im->n + columns - 1) / columns;
    int64_t zoom = arg_int(in, args, ZOOM, side < SMALL ? (SMALL + side - 1) / side : 1, "`zoom`");
    if (zoom < 1 || zoom > 1000)
        builtin_fail(in, args, ZOOM, "`zoom` is a whole number from 1 to 1000, not %lld", (long long)zoom);
    double width = (double)columns * (double)(im->width * zoom + GAP) - GAP,
           height = (double)rows * (double)(im->height * zoom + GAP) - GAP;
    if (width > PIXELS_MOST || height > PIXELS_MOST || width * height > 1 << 28)
        ctx_raise(in->ctx, ERROR_PROGRAM, place->at, "show fewer images, as x[1..100], or choose `rows` and `zoom`",
                  "a picture of %.0f by %.0f pixels is too large: %lld images of %lld by %lld", width, height,
                  (long long)im->n, (long long)im->width, (long long)im->height);
    Pixels p = {.width = (int)width, .height = (int)height, .channels = im->channels == 3 || has_nan(im) ? 3 : 1};
    p.bytes = ARENA_ARRAY(in->arena, unsigned char, (int64_t)p.width *p.height *p.channels);
    for (int64_t k = 0; k < (int64_t)p.width * p.height; k++) set_pixel(&p, k / p.width, k % p.width, between);
    for (int64_t k = 0; k < im->n; k++)
        draw_image(&p, im, k, k / columns * (im->height * zoom + GAP), k % columns * (im->width * zoom + GAP), zoom);
    pixels_write(in->ctx, in->arena, place->file, &p, place->at);
}

/* -- Characters -- */

/* The mean over a cell's pixels; NaN where one is, -1 outside of the image. */
static double cell_level(const Images *im, int64_t image, int64_t row, int64_t column, int64_t down, int64_t across) {
    static const double luminance[3] = {0.2126, 0.7152, 0.0722}; /* ITU-R BT.709 */
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = row * down; i < (row + 1) * down && i < im->height; i++)
        for (int64_t j = column * across; j < (column + 1) * across && j < im->width; j++, count++)
            for (int c = 0; c < im->channels; c++)
                sum += (im->channels == 3 ? luminance[c] : 1) * level_of(im, image, i, j, c);
    return count ? sum / (double)count : -1;
}

static void add_cell(Buf *out, double level, bool ascii) {
    static const char *const blocks[] = {" ", "░", "▒", "▓", "█"}, *const plain = " .:-=+*#%@";
    if (isnan(level))
        buf_add_char(out, '?');
    else if (ascii)
        buf_add_char(out, plain[level < 0 ? 0 : (int)lround(9 * level)]);
    else
        buf_add(out, blocks[level < 0 ? 0 : (int)lround(4 * level)]);
}

/* Images in a grid; a character is `across` by 2 * `across` pixels, as characters are about twice as high as wide. */
static void add_grid(Buf *out, const Images *im, int64_t shown, int64_t columns, int64_t across, bool ascii) {
    int64_t wide = (im->width + across - 1) / across, high = (im->height + 2 * across - 1) / (2 * across);
    for (int64_t first = 0; first < shown; first += columns) {
        if (first) buf_add(out, "\n\n");
        for (int64_t row = 0; row < high; row++) {
            if (row) buf_add_char(out, '\n');
            size_t start = out->length;
            for (int64_t k = first; k < first + columns && k < shown; k++) {
                if (k > first) buf_add_char(out, ' ');
                for (int64_t column = 0; column < wide; column++)
                    add_cell(out, cell_level(im, k, row, column, 2 * across, across), ascii);
            }
            while (out->length > start && out->text[out->length - 1] == ' ') out->text[--out->length] = 0;
        }
    }
}

static void print_images(Interp *in, const Args *args, const PicturePlace *place, const Images *im, int64_t rows) {
    enum { ROWS_UNASKED = 3 };
    int64_t columns = rows ? (im->n + rows - 1) / rows : 0, across = 1, fit;
    while ((fit = (place->width + 1) / ((im->width + across - 1) / across + 1)) < (columns ? columns : 1)) {
        if (across > im->width)
            builtin_fail(in, args, ROWS, "%lld images side by side do not fit into %d characters", (long long)columns,
                         place->width);
        across++;
    }
    if (!columns) columns = fit;
    int64_t shown = rows || im->n < ROWS_UNASKED * columns ? im->n : ROWS_UNASKED * columns;
    Buf out = {0};
    add_grid(&out, im, shown, columns, across, place->ascii);
    if (shown < im->n) buf_printf(&out, "\n... and %lld more", (long long)(im->n - shown));
    picture_print(in, &out);
    buf_free(&out);
}

static Value call_show_images(Interp *in, const Args *given) {
    Args args = picture_file_last(in, given, ROWS, FILE_NAME);
    PicturePlace place = picture_place(in, &args, FILE_NAME, WIDTH, ASCII, ".png");
    Images im = read_images(in, &args);
    int64_t rows = arg_int(in, &args, ROWS, 0, "`rows`");
    if (arg_given(&args, ROWS) && rows < 1)
        builtin_fail(in, &args, ROWS, "`rows` is the number of rows of images, from 1 on, not %lld", (long long)rows);
    if (rows > im.n) rows = im.n;
    if (!place.file && arg_given(&args, ZOOM))
        builtin_fail(in, &args, ZOOM, "`zoom` is for images in a file, not in the terminal");
    if (!place.file)
        print_images(in, &args, &place, &im, rows);
    else if (rows)
        write_images(in, &args, &place, &im, rows);
    else /* as many columns as rows, or one more */
        write_images(in, &args, &place, &im, (int64_t)rint(sqrt((double)im.n)));
    return value_nothing();
}

const Builtin builtins_images[] = {
    {"show_images", "(x, rows = , file = , shape = , range = , zoom = , width = , ascii = )", call_show_images,
     "a grid of images in so many rows: x is [n, height, width], [n, height, width, 3], or flat [n, height * width], "
     "square unless `shape` says [height, width]; 0 is black, 1 white, or `range` = [black, white]; into a .png file, "
     "else in the terminal; zoom: pixels of the file by pixel of an image, by default as many as make it 64 high or "
     "wide" PICTURE_TERMINAL,
     0},
    {0},
};
