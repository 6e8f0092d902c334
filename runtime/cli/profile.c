#include "cli/profile.h"

#include <string.h>

enum { WHAT = 30, TEXT = 48 };

/* The first characters of the statement's line, without what it is indented by. */
static void line_text(const Ctx *c, Span at, char text[TEXT + 1]) {
    text[0] = 0;
    if (at.file < 0 || at.file >= c->nsources) return;
    const char *line = c->sources[at.file].text;
    for (int k = 1; k < at.line && line; k++) {
        line = strchr(line, '\n');
        line += line != NULL;
    }
    if (!line) return;
    line += strspn(line, " \t");
    size_t n = strcspn(line, "\n");
    if (n > TEXT)
        for (n = TEXT; n > 0 && ((unsigned char)line[n] & 0xC0) == 0x80; n--) {
        } /* not within a character */
    memcpy(text, line, n);
    text[n] = 0;
}

static void print_row(FILE *to, const Ctx *c, const ProfileRow *r, double total) {
    char what[WHAT + 4], text[TEXT + 1], place[64] = "";
    snprintf(what, sizeof what, strlen(r->what) > WHAT ? "%.*s..." : "%.*s", WHAT - 3, r->what);
    if (strlen(r->what) <= WHAT) snprintf(what, sizeof what, "%s", r->what);
    if (r->span.file >= 0) {
        const char *name = ctx_source_name(c, r->span.file), *slash = strrchr(name, '/');
        snprintf(place, sizeof place, "%.40s:%d", slash ? slash + 1 : name, r->span.line);
    }
    line_text(c, r->span, text);
    fprintf(to, "%5.1f %% %9.4f s %10.0f %10.0f  %-8s %-30s %-20s %s\n", 100 * r->seconds / total, r->seconds,
            r->calls, 1e9 * r->seconds / r->calls, r->backward ? "backward" : "forward", what, place, text);
}

void profile_print(FILE *to, const Ctx *c, Profile *p, int most, double seconds) {
    int n;
    const ProfileRow *rows = profile_rows(p, &n);
    double total = 0, shown = 0;
    for (int k = 0; k < n; k++) total += rows[k].seconds;
    fprintf(to,
            "\n%.3f s in all, %.3f s of it in recorded operations (the rest: starting, walking the tree, the optimizer)\n",
            seconds, total);
    if (n == 0 || total <= 0) return;
    fprintf(to, "%7s %11s %10s %10s  %-8s %-30s %-20s %s\n", "share", "time", "calls", "ns a call", "",
            "operations", "line", "statement");
    for (int k = 0; k < n && k < most; k++) {
        print_row(to, c, &rows[k], total);
        shown += rows[k].seconds;
    }
    if (n > most) fprintf(to, "%5.1f %%  in %d other rows\n", 100 * (total - shown) / total, n - most);
}
