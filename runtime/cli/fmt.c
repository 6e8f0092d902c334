#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/session.h"
#include "io/file.h"
#include "lang/format.h"

static int fmt_session(Session *s) {
    const char *file = s->options->file, *why = NULL;
    int number = program_read(s->ctx, s->arena, file, &why);
    if (number < 0) {
        screen_say(&s->screen, SEVERITY_ERROR, NULL, "cannot read the program %s: %s", file, why);
        return EXIT_PROGRAM;
    }
    Diagnostics found = {.max_errors = 20};
    const char *text = lang_format(s->ctx, s->arena, number, &found);
    for (int k = 0; k < found.n; k++) screen_show(&s->screen, SEVERITY_ERROR, &found.list[k].error);
    if (!text) return EXIT_PROGRAM;
    bool same = strcmp(text, s->ctx->sources[number].text) == 0;
    if (s->options->check) {
        if (!same) screen_say(&s->screen, SEVERITY_ERROR, "`ppl fmt` without --check changes the file", "%s is laid out otherwise", file);
        return same ? EXIT_DONE : EXIT_PROGRAM;
    }
    if (strcmp(file, "-") == 0)
        fputs(text, stdout);
    else if (!same)
        file_write(s->ctx, file, text, strlen(text), SPAN_NONE);
    return EXIT_DONE;
}

int command_fmt(const Options *o) { return session_run(o, NULL, fmt_session); }
