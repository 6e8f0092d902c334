/* fuzz [--show] [FILE.ppl [DATA]]   run one program, or cases until the time is over.
 *
 * FUZZ_SECONDS, FUZZ_SEED, FUZZ_CASE (this one case only), FUZZ_JOBS, FUZZ_ROOTS (where programs are found, by blanks),
 * FUZZ_KEEP (a directory for the findings). Each case runs in a child; a finding is run again, made smaller as long as
 * it stays the same finding, and printed as a program.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session.h"

enum { MOST_FINDINGS = 40, MOST_REPORT = 1 << 16, MOST_JOBS = 16 };

/* The sanitizers' defaults; ASAN_OPTIONS goes before them. Memory must run out in small, as it does in large. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1:max_allocation_size_mb=256:soft_rss_limit_mb=1500:hard_rss_limit_mb=3000:"
           "detect_leaks=1:leak_check_at_exit=0:handle_abort=1:abort_on_error=0:exitcode=99";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "print_stacktrace=1"; }
/* What the jobs share. */
typedef struct Shared {
    atomic_flag busy;
    _Atomic long cases, parsed, ended, interrupted, of_kind[CASE_KINDS], found_in[CASE_KINDS];
    _Atomic int nfindings, nleaks;
    uint64_t findings[MOST_FINDINGS];
    Outcome outcome[MOST_JOBS];
} Shared;

typedef struct Finding {
    bool found;
    char signature[400]; /* the same for what is the same */
    char *report;        /* what the child said */
} Finding;

typedef struct Job {
    Shared *shared;
    Session *session;
    Outcome *outcome;
    int number, said; /* the file that the child's standard error goes to */
    uint64_t seed;
    const Corpus *corpus;
    const Vocabulary *words;
    double until;
    const char *keep;
    bool show;
} Job;

static const char *const KIND_NAMES[CASE_KINDS] = {"bytes",     "tokens", "splices", "statements",
                                                   "generated", "large",  "data"};

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* -- Running a case, and judging it -- */

/* Built with --coverage, a run shows what it does not reach. */
extern void __gcov_dump(void) __attribute__((weak));

static void child(Job *j, const Case *c, bool check_leaks) {
    struct rlimit small = {64 << 20, 64 << 20}, none = {0, 0};
    setrlimit(RLIMIT_FSIZE, &small);
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGXFSZ, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    if (!j->show) dup2(null, STDOUT_FILENO), dup2(j->said, STDERR_FILENO);
    fuzz_run_case(j->session, c, check_leaks, j->show, j->outcome);
    fflush(stdout);
    if (__gcov_dump) __gcov_dump();
    _exit(0);
}

/* Functions of ours that stand in the report, innermost first. */
static void add_frames(char *out, size_t room, const char *report, int most) {
    for (const char *s = report; (s = strstr(s, " in ")) && most > 0;) {
        const char *name = s + 4, *end = strchr(name, '\n');
        size_t n = strcspn(name, " \n");
        const char *ours = NULL;
        s = name;
        for (const char *at = name; end && at < end; at++)
            if (strncmp(at, "lang/", 5) == 0 || strncmp(at, "runtime/", 8) == 0) ours = at;
        bool plumbing =
            strncmp(name, "arena_", 6) == 0 || strncmp(name, "buf_", 4) == 0 || strncmp(name, "ctx_", 4) == 0;
        if (!ours || plumbing) continue;
        size_t used = strlen(out);
        snprintf(out + used, room - used, " %.*s", (int)n, name);
        most--;
    }
}

static char *read_report(int fd) {
    char *text = calloc(1, MOST_REPORT + 1);
    ssize_t n = pread(fd, text, MOST_REPORT, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

/* The line that says what happened, without numbers that change from run to run. */
static void sign(Finding *f, int status, const Outcome *o) {
    static const char *const marks[] = {"runtime error: ", "Assertion `",
                                        "HANG: ", "ERROR: AddressSanitizer: ", "ERROR: LeakSanitizer: "};
    const char *line = NULL;
    for (size_t k = 0; k < sizeof marks / sizeof *marks && !line; k++) line = strstr(f->report, marks[k]);
    size_t room = sizeof f->signature, n = 0;
    if (o->complaint[0]) line = o->complaint;
    if (!line && WIFSIGNALED(status))
        snprintf(f->signature, room, "signal %d", WTERMSIG(status));
    else if (!line)
        snprintf(f->signature, room, "exit %d", WEXITSTATUS(status));
    bool exact = line && strncmp(line, "Assertion", 9) == 0;
    for (; line && *line && *line != '\n' && n < 120; line++) {
        if (!exact && (strncmp(line, " on address", 11) == 0 || strncmp(line, " on unknown", 11) == 0)) break;
        if (exact || *line < '0' || *line > '9') f->signature[n++] = *line;
    }
    if (line) f->signature[n] = 0;
    bool overflow = strstr(f->signature, "stack-overflow") != NULL;
    if (!o->complaint[0]) add_frames(f->signature, room, f->report, overflow || strstr(f->signature, "HANG") ? 1 : 3);
}

static int run_once(Job *j, const Case *c, bool check_leaks) {
    memset(j->outcome, 0, sizeof *j->outcome);
    if (ftruncate(j->said, 0) == 0) lseek(j->said, 0, SEEK_SET);
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) return 0;
    if (pid == 0) child(j, c, check_leaks);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static Finding run_case(Job *j, const Case *c, bool check_leaks, bool twice) {
    Finding f = {0};
    int status = run_once(j, c, check_leaks);
    Outcome first = *j->outcome;
    f.found = status != 0 || first.complaint[0];
    if (!f.found && twice && !first.interrupted) {
        status = run_once(j, c, false);
        if (status == 0 && !j->outcome->interrupted && j->outcome->hash != first.hash) {
            f.found = true;
            snprintf(j->outcome->complaint, sizeof j->outcome->complaint, "two runs of it differ");
        }
        first = *j->outcome;
    }
    if (f.found) {
        f.report = read_report(j->said);
        sign(&f, status, &first);
    }
    *j->outcome = first;
    return f;
}

/* -- Making a finding smaller -- */

typedef struct Smaller {
    Job *job;
    Case *c;
    const char *signature;
    double until;
    bool leaks, twice;
} Smaller;

static bool still_there(Smaller *m, const Buf *text, bool of_data) {
    Case c = *m->c;
    if (of_data)
        c.data = *text;
    else
        c.program = *text;
    Finding f = run_case(m->job, &c, m->leaks, m->twice);
    bool same = f.found && strcmp(f.signature, m->signature) == 0;
    free(f.report);
    return same;
}

/* Leave out runs of pieces, half of them at first, as long as something can go. */
static void reduce(Smaller *m, Buf *text, bool of_data, void (*cut)(const char *text, size_t n, Pieces *out)) {
    bool gone = true;
    for (int size = 0; gone && seconds_now() < m->until;) {
        Pieces p = {0};
        cut(text->text, text->length, &p);
        gone = false;
        for (size = p.n / 2; size > 0 && !gone; size /= 2)
            for (int from = 0; from + size <= p.n && !gone && seconds_now() < m->until; from += size) {
                Buf rest = {0};
                buf_add(&rest, "");
                for (int k = 0; k < p.n; k++)
                    if (k < from || k >= from + size) buf_add_bytes(&rest, p.list[k].text, p.list[k].length);
                gone = still_there(m, &rest, of_data);
                if (!gone) {
                    buf_free(&rest);
                    continue;
                }
                buf_free(text);
                *text = rest;
            }
        free(p.list);
    }
}

static void cut_lines(const char *text, size_t n, Pieces *out) {
    Pieces tokens = {0};
    tokenize(text, n, &tokens);
    out->list = calloc((size_t)tokens.n + 1, sizeof(Piece));
    for (int k = 0; k < tokens.n; k++) {
        if (k == 0 || tokens.list[k - 1].text[0] == '\n') out->list[out->n++].text = tokens.list[k].text;
        out->list[out->n - 1].length += tokens.list[k].length;
    }
    free(tokens.list);
}

static void make_smaller(Job *j, Case *c, const char *signature, bool leaks, bool twice) {
    Smaller m = {.job = j,
                 .c = c,
                 .signature = signature,
                 .until = seconds_now() + (strstr(signature, "HANG") ? 60 : 12),
                 .leaks = leaks,
                 .twice = twice};
    Buf text = {0};
    buf_add_bytes(&text, c->program.text, c->program.length);
    if (!still_there(&m, &text, false)) {
        buf_free(&text);
        return;
    }
    Case small = *c;
    m.c = &small;
    reduce(&m, &text, false, cut_lines);
    reduce(&m, &text, false, tokenize);
    buf_free(&c->program);
    c->program = small.program = text;
    if (c->kind != CASE_DATA) return;
    Buf data = {0};
    buf_add_bytes(&data, c->data.text, c->data.length);
    reduce(&m, &data, true, tokenize);
    buf_free(&c->data);
    c->data = data;
}

/* -- Reports -- */

static bool is_new(Shared *s, const char *signature) {
    uint64_t h = hash_string(signature);
    bool fresh = true;
    while (atomic_flag_test_and_set(&s->busy)) {
    }
    for (int k = 0; k < s->nfindings; k++) fresh &= s->findings[k] != h;
    fresh &= s->nfindings < MOST_FINDINGS;
    if (fresh) s->findings[s->nfindings++] = h;
    atomic_flag_clear(&s->busy);
    return fresh;
}

static void add_lines(Buf *b, const char *text, int most) {
    for (; *text && most > 0; most--) {
        size_t n = strcspn(text, "\n");
        buf_printf(b, "    %.*s\n", (int)(n < 200 ? n : 200), text);
        text += n + (text[n] == '\n');
    }
}

static void keep_bytes(const Job *j, long number, const char *ending, const Buf *b) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%llu-%ld%s", j->keep, (unsigned long long)j->seed, number, ending);
    FILE *f = fopen(path, "wb");
    if (!f) return;
    fwrite(b->text, 1, b->length, f);
    fclose(f);
}

static void report(Job *j, long number, Case *c, Finding *f, bool leaks, bool twice) {
    make_smaller(j, c, f->signature, leaks, twice);
    Buf b = {0};
    buf_printf(&b, "\nFOUND: %s\n  repeat: FUZZ_SEED=%llu FUZZ_CASE=%ld (%s%s)\n  program:\n", f->signature,
               (unsigned long long)j->seed, number, KIND_NAMES[c->kind], c->by_lines ? ", line by line" : "");
    add_lines(&b, c->program.text, 60);
    if (c->kind == CASE_DATA) {
        buf_printf(&b, "  data%s (%zu bytes%s%s):\n    ", c->format, c->data.length, c->name ? ", as " : "",
                   c->name ? c->name : "");
        for (size_t k = 0; k < c->data.length && k < 400; k++)
            if (c->data.text[k] >= 32 && c->data.text[k] < 127)
                buf_add_char(&b, c->data.text[k]);
            else
                buf_printf(&b, "\\x%02x", (unsigned char)c->data.text[k]);
        buf_add(&b, "\n");
    }
    if (f->report[0]) buf_add(&b, "  what was said:\n");
    add_lines(&b, f->report, 30);
    fwrite(b.text, 1, b.length, stdout);
    fflush(stdout);
    buf_free(&b);
    if (!j->keep) return;
    keep_bytes(j, number, ".ppl", &c->program);
    if (c->kind == CASE_DATA) keep_bytes(j, number, c->format, &c->data);
}

/* -- The loop -- */

static void one_case(Job *j, long number) {
    Case c = case_make(j->corpus, j->words, j->seed, (uint64_t)number);
    bool leaks = number % 8 == 0 || j->show, twice = number % 8 == 4;
    if (j->show) printf("%s\n----\n", c.program.text);
    Finding f = run_case(j, &c, leaks, twice);
    Shared *s = j->shared;
    s->cases++;
    s->of_kind[c.kind]++;
    s->parsed += j->outcome->parsed;
    s->ended += j->outcome->ended;
    s->interrupted += j->outcome->interrupted;
    if (j->show && j->outcome->complaint[0]) printf("complaint: %s\n", j->outcome->complaint);
    if (f.found && !j->show && is_new(s, f.signature)) {
        s->found_in[c.kind]++;
        report(j, number, &c, &f, leaks, twice);
    }
    free(f.report);
    case_free(&c);
}

/* Cases write files: in a directory of their own. */
static void enter_directory(char *dir) {
    if (!mkdtemp(dir) || chdir(dir) != 0) _exit(2);
}

static int leave_directory(const char *dir) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return chdir("/") == 0 && system(command) == 0 ? 0 : 1;
}

static void run_job(Job *j, int jobs) {
    char dir[] = "/tmp/ppl-fuzz-XXXXXX";
    enter_directory(dir);
    j->said = open("said", O_RDWR | O_CREAT | O_APPEND, 0600);
    for (long k = j->number; seconds_now() < j->until && j->shared->nfindings < MOST_FINDINGS; k += jobs)
        one_case(j, k);
    _exit(leave_directory(dir));
}

static void run_jobs(Job *j, int jobs) {
    for (int k = 0; k < jobs; k++) {
        fflush(stdout);
        if (fork() != 0) continue;
        j->number = k, j->outcome = &j->shared->outcome[k];
        run_job(j, jobs);
    }
    while (wait(NULL) > 0 || errno == EINTR) {
    }
}

static int summary(const Shared *s) {
    int failed = s->nfindings, passed = 0;
    printf("%ld cases: %ld passed the checks, %ld ran to their end, %ld ran out of time\n", s->cases, s->parsed,
           s->ended, s->interrupted);
    for (int k = 0; k < CASE_KINDS; k++) {
        if (s->of_kind[k] > 0 && s->found_in[k] == 0) passed++;
        printf("  %-10s %6ld cases, %ld findings\n", KIND_NAMES[k], s->of_kind[k], s->found_in[k]);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

static char *read_whole(const char *path, Buf *out) {
    FILE *f = fopen(path, "rb");
    char block[4096];
    buf_add(out, "");
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;) buf_add_bytes(out, block, n);
    if (f) fclose(f);
    return f ? out->text : NULL;
}

static int run_file(Job *j, char **paths) {
    Case c = {.kind = paths[1] ? CASE_DATA : CASE_STATEMENTS, .depth = 1000, .by_lines = getenv("FUZZ_LINES") != NULL};
    if (!read_whole(paths[0], &c.program)) return 2;
    if (paths[1]) {
        c.format = strrchr(paths[1], '.');
        if (!read_whole(paths[1], &c.data)) return 2;
    }
    char dir[] = "/tmp/ppl-fuzz-XXXXXX";
    enter_directory(dir);
    int status = run_once(j, &c, true);
    leave_directory(dir);
    if (j->outcome->complaint[0]) printf("complaint: %s\n", j->outcome->complaint);
    printf("%s, status %d\n",
           j->outcome->interrupted ? "interrupted"
           : j->outcome->ended     ? "ran to its end"
                                   : "stopped",
           status);
    case_free(&c);
    return status != 0 || j->outcome->complaint[0];
}

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static Corpus *read_corpus(void) {
    static char text[4096];
    char *roots[32];
    snprintf(text, sizeof text, "%s", getenv("FUZZ_ROOTS") ? getenv("FUZZ_ROOTS") : "examples tests");
    int n = 0;
    for (char *root = strtok(text, " "); root && n < 32; root = strtok(NULL, " ")) roots[n++] = root;
    return corpus_read(roots, n);
}

int main(int argc, char **argv) {
    const char *why = NULL;
    double seconds = (double)number_of("FUZZ_SECONDS", 20);
    int jobs = (int)number_of("FUZZ_JOBS", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
    if (jobs < 1 || jobs > MOST_JOBS) jobs = MOST_JOBS;
    Job j = {.seed = number_of("FUZZ_SEED", (uint64_t)time(NULL)),
             .until = seconds_now() + seconds,
             .keep = getenv("FUZZ_KEEP")};
    j.shared = mmap(NULL, sizeof *j.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    j.outcome = &j.shared->outcome[0];
    j.session = fuzz_session(&why);
    if (!j.session) {
        printf("the standard library does not load: %s\n0 passed, 1 failed\n", why);
        return 1;
    }
    j.words = fuzz_vocabulary(j.session);
    if (argc > 1) {
        j.show = true;
        return run_file(&j, argv + 1);
    }
    j.corpus = read_corpus();
    printf("fuzz: seed %llu, %d programs, %d data files, %d functions, %d distributions\n", (unsigned long long)j.seed,
           j.corpus->nprograms, j.corpus->ndata, j.words->nfunctions, j.words->ndists);
    if (j.corpus->nprograms == 0) return 2;
    if (getenv("FUZZ_CASE")) {
        char dir[] = "/tmp/ppl-fuzz-XXXXXX";
        j.show = true;
        enter_directory(dir);
        one_case(&j, (long)number_of("FUZZ_CASE", 0));
        return leave_directory(dir);
    }
    run_jobs(&j, jobs);
    return summary(j.shared);
}
