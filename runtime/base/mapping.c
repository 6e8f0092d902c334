#include "base/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t in_pages(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static Mapping *enlist(Ctx *c, void *bytes, size_t length, size_t reserved) {
    Mapping *m = malloc(sizeof *m);
    if (!m) {
        munmap(bytes, reserved);
        return NULL;
    }
    *m = (Mapping){
        .bytes = bytes, .length = length, .ctx = c, .reserved = reserved, .next = c->mappings, .link = &c->mappings};
    if (m->next) m->next->link = &m->next;
    c->mappings = m;
    return m;
}

/* One page more than the file has, so that a zero stands behind it. */
Mapping *mapping_of_file(Ctx *c, int fd, size_t length) {
    size_t reserved = in_pages(length + 1);
    void *room = mmap(NULL, reserved, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return NULL;
    if (mmap(room, length, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED) {
        munmap(room, reserved);
        return NULL;
    }
    return enlist(c, room, length, reserved);
}

static _Noreturn void raise_no_room(Ctx *c, const char *folder, size_t length, int why) {
    ctx_raise(c, ERROR_PROGRAM, c->span, "the environment variable TMPDIR names another folder",
              "no room for %.3g MB of numbers in '%s': %s", (double)length / 1e6, folder, strerror(why));
}

Mapping *mapping_spill(Ctx *c, size_t length) {
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder) folder = "/var/tmp"; /* /tmp may be memory */
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* not every file system knows files without names */
        char path[4096];
        snprintf(path, sizeof path, "%s/ppl-XXXXXX", folder);
        fd = mkstemp(path);
        if (fd >= 0) unlink(path);
    }
    if (fd < 0) raise_no_room(c, folder, length, errno);
    size_t reserved = in_pages(length + 1);
    int why = posix_fallocate(fd, 0, (off_t)reserved);
    void *bytes = why ? MAP_FAILED : mmap(NULL, reserved, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!why && bytes == MAP_FAILED) why = errno;
    close(fd);
    if (why) raise_no_room(c, folder, length, why);
    Mapping *m = enlist(c, bytes, length, reserved);
    if (!m) raise_no_room(c, folder, length, ENOMEM);
    return m;
}

void mapping_is_random(Mapping *m) { madvise(m->bytes, m->reserved, MADV_RANDOM); }

void mapping_release(Mapping *m) {
    *m->link = m->next;
    if (m->next) m->next->link = m->link;
    munmap(m->bytes, m->reserved);
    free(m);
}

/* Bytes of files that this process holds in memory (proc(5), statm: the third number). */
static size_t held_bytes(void) {
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    unsigned long pages = 0;
    if (n <= 0 || sscanf(text, "%*u %*u %lu", &pages) != 1) return 0;
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Half of what `ulimit -m` allows, else a quarter of the machine. The system lets go of pages by itself when others are
 * needed: this only keeps the process from looking larger than it has to be. */
static size_t most_held(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_RSS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) return limit.rlim_cur / 2;
    return (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 4;
}

void mappings_trim(Ctx *c) {
    if (!c->mappings || held_bytes() < most_held()) return;
    for (Mapping *m = c->mappings; m; m = m->next) madvise(m->bytes, m->reserved, MADV_DONTNEED);
}
