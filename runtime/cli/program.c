#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"

enum { MAX_PROGRAM = 16 << 20 };

/* All of an open file, at most a byte more than allowed. */
static bool read_all(int fd, Buf *text, const char **why) {
    char block[65536];
    for (ssize_t n; (n = read(fd, block, sizeof block)) != 0;) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            *why = strerror(errno);
            return false;
        }
        buf_add_bytes(text, block, (size_t)n);
        if (text->length > MAX_PROGRAM) {
            *why = "it is longer than 16 MB; no program is (are these data? they are given with --data)";
            return false;
        }
    }
    return true;
}

static bool read_text(int fd, Arena *a, Buf *text, const char **why) {
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        *why = "it is a directory";
        return false;
    }
    if (!read_all(fd, text, why)) return false;
    buf_add(text, ""); /* an empty file has a text too */
    const char *zero = memchr(text->text, 0, text->length);
    if (zero) {
        size_t at = (size_t)(zero - text->text) + 1;
        *why = arena_printf(a, "it is not text (byte %zu is zero); data are given with --data", at);
        return false;
    }
    return true;
}

int program_read(Ctx *c, Arena *a, const char *file, const char **why) {
    bool standard = strcmp(file, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *why = arena_strdup(a, strerror(errno));
        return -1;
    }
    Buf text = {0};
    bool done = read_text(fd, a, &text, why);
    if (!standard) close(fd);
    int number = done ? ctx_add_source(c, standard ? "<stdin>" : file, text.text, text.length) : -1;
    buf_free(&text);
    return number;
}

static const char *imported_path(Arena *a, const char *importer, const char *path) {
    const char *slash = strrchr(importer, '/');
    while (strncmp(path, "./", 2) == 0) path += 2;
    return *path == '/' || !slash ? path : arena_printf(a, "%.*s/%s", (int)(slash - importer), importer, path);
}

int program_read_import_anew(void *self, Ctx *c, const char *importer, const char *path, const char **why) {
    return program_read(c, self, imported_path(self, importer, path), why);
}

int program_read_import(void *self, Ctx *c, const char *importer, const char *path, const char **why) {
    const char *file = imported_path(self, importer, path);
    for (int k = 0; k < c->nsources; k++)
        if (strcmp(c->sources[k].name, file) == 0) return k;
    return program_read(c, self, file, why);
}

/* The byte at a line and a column (in characters). */
static const char *find_place(const Source *source, int line, int column) {
    const char *s = source->text, *end = s + source->length;
    while (s < end && line > 1)
        if (*s++ == '\n') line--;
    while (s < end && column > 1) {
        uint32_t c;
        size_t n = utf8_decode(s, (size_t)(end - s), &c);
        s += n ? n : 1;
        column--;
    }
    return s;
}

char *program_piece(const Ctx *c, Arena *a, Span span) {
    if (span.file < 0 || span.file >= c->nsources) return arena_strdup(a, "");
    const Source *source = &c->sources[span.file];
    const char *from = find_place(source, span.line, span.column);
    const char *to = find_place(source, span.end_line, span.end_column);
    return arena_printf(a, "%.*s", (int)(to > from ? to - from : 0), from);
}

char *program_text(const Ctx *c, Arena *a, Span span) {
    if (span.file < 0 || span.file >= c->nsources) return arena_strdup(a, "");
    const Source *source = &c->sources[span.file];
    const char *from = find_place(source, span.line, span.column);
    const char *to = find_place(source, span.end_line, span.end_column);
    char *text = arena_alloc(a, (size_t)(to > from ? to - from : 0) + 1), *out = text;
    for (const char *s = from; s < to; s++) {
        bool blank = *s == ' ' || *s == '\t' || *s == '\n' || *s == '\r';
        if (!blank)
            *out++ = *s;
        else if (out > text && out[-1] != ' ')
            *out++ = ' ';
    }
    if (out > text && out[-1] == ' ') out[-1] = 0;
    return text;
}
