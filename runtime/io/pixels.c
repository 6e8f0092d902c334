#include "io/pixels.h"

#include <png.h>

#include "io/file.h"

void pixels_write(Ctx *c, Arena *a, const char *path, const Pixels *p, Span at) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->width,
                       .height = (png_uint_32)p->height,
                       .format = p->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *png = arena_alloc(a, size);
    if (!png_image_write_to_memory(&image, png, &size, 0, p->bytes, 0, NULL))
        ctx_raise(c, ERROR_PROGRAM, at, NULL, "cannot write '%s': %s", path, image.message);
    file_write(c, path, png, size, at);
}
