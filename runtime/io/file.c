#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mapping.h"
#include "base/strings.h"

/* -- Reading -- */

static void release_buf(void *b) { buf_free(b); }

/* Everything *gz has to say, into b. NULL, or why not. Closes gz. */
static const char *read_all(Ctx *c, Arena *a, gzFile gz, Buf *b) {
    enum { PIECE = 1 << 18 };
    char *piece = arena_alloc(a, PIECE);
    const char *why = NULL;
    int got;
    while (!why && (got = gzread(gz, piece, PIECE)) > 0) {
        buf_add_bytes(b, piece, (size_t)got);
        if (c->max_bytes && b->length > c->max_bytes)
            why = arena_printf(a, "it has more than %zu bytes, the limit", c->max_bytes);
        if (c->interrupted && *c->interrupted) why = "interrupted";
    }
    if (!why && got < 0) {
        int code;
        const char *text = gzerror(gz, &code);
        why = arena_strdup(a, code == Z_ERRNO       ? strerror(errno)
                              : code == Z_BUF_ERROR ? "its gzip data are cut short"
                                                    : text);
    }
    int closed = gzclose_r(gz);
    if (!why && closed == Z_BUF_ERROR) why = "its gzip data are cut short";
    return why;
}

const char *file_read(Ctx *c, Arena *a, const char *path, Span at, size_t *length) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) ctx_raise(c, ERROR_PROGRAM, at, NULL, "cannot read '%s': %s", path, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        ctx_raise(c, ERROR_PROGRAM, at, NULL, "cannot read '%s': it is a directory, expected a file", path);
    }
    gzFile gz = gzdopen(fd, "rb");
    if (!gz) {
        close(fd);
        ctx_raise(c, ERROR_PROGRAM, at, NULL, "cannot read '%s': out of memory", path);
    }
    gzbuffer(gz, 1 << 17);
    Buf *b = ARENA_NEW(a, Buf);
    arena_defer(a, release_buf, b);
    buf_add(b, "");
    const char *why = read_all(c, a, gz, b);
    ErrorKind kind = c->interrupted && *c->interrupted ? ERROR_INTERRUPT : ERROR_PROGRAM;
    if (why) ctx_raise(c, kind, at, NULL, "cannot read '%s': %s", path, why);
    *length = b->length;
    return b->text;
}

static void release_mapping(void *m) { mapping_release(m); }

enum { LARGE = 8 << 20 };

/* Not what is compressed, not a pipe. */
static Mapping *map_large(Ctx *c, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    struct stat st;
    unsigned char magic[2] = {0};
    bool plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= LARGE &&
                 pread(fd, magic, 2, 0) == 2 && !(magic[0] == 0x1F && magic[1] == 0x8B);
    Mapping *m = plain ? mapping_of_file(c, fd, (size_t)st.st_size) : NULL;
    close(fd);
    return m;
}

const char *file_read_or_map(Ctx *c, Arena *a, const char *path, Span at, size_t *length) {
    Mapping *m = map_large(c, path);
    if (!m) return file_read(c, a, path, at, length);
    arena_defer(a, release_mapping, m);
    *length = m->length;
    return m->bytes;
}

/* -- Writing -- */

/* 0, or the errno. */
static int write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, p, n < (1 << 30) ? n : 1 << 30);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int write_directly(const char *path, const void *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int failed = write_all(fd, bytes, n);
    if (close(fd) != 0 && !failed) failed = errno;
    return failed;
}

/* Beside `target`, which may be there already with permissions to keep. */
static int write_beside(const char *temporary, const char *target, const struct stat *old, const void *bytes,
                        size_t n) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    int failed = write_all(fd, bytes, n);
    if (!failed && old && fchmod(fd, old->st_mode & 07777) != 0) failed = errno;
    if (!failed && fsync(fd) != 0) failed = errno;
    if (close(fd) != 0 && !failed) failed = errno;
    if (!failed && rename(temporary, target) != 0) failed = errno;
    if (failed) unlink(temporary);
    return failed;
}

static int replace_file(const char *path, const void *bytes, size_t n) {
    struct stat old;
    bool exists = stat(path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode)) return EISDIR;
    if (exists && !S_ISREG(old.st_mode)) return write_directly(path, bytes, n);
    if (exists && access(path, W_OK) != 0) return errno;
    char *resolved = exists ? realpath(path, NULL) : NULL;
    const char *target = resolved ? resolved : path;
    Buf temporary = {0};
    int failed = EEXIST;
    for (int attempt = 0; failed == EEXIST && attempt < 100; attempt++) {
        temporary.length = 0;
        buf_printf(&temporary, "%s.%ld-%d.tmp", target, (long)getpid(), attempt);
        failed = write_beside(temporary.text, target, exists ? &old : NULL, bytes, n);
    }
    buf_free(&temporary);
    free(resolved);
    return failed;
}

void file_write(Ctx *c, const char *path, const void *bytes, size_t n, Span at) {
    int failed = replace_file(path, bytes, n);
    if (failed) ctx_raise(c, ERROR_PROGRAM, at, NULL, "cannot write '%s': %s", path, strerror(failed));
}
