/* Standard error: messages in colour on a terminal, and the live line of progress. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "infer/infer.h"

typedef struct Screen {
    Ctx *ctx;
    Arena *arena;   /* for texts; whoever runs the session empties it */
    bool terminal;  /* standard error is one */
    bool color;
    bool quiet;     /* no warnings */
    const bool *silent; /* by Warning; NULL: none */
    bool progress;  /* show it */
    bool json;      /* messages are JSON lines on standard output */
    bool line_shown;  /* a live line stands on the terminal */
    double last_line; /* seconds of the fit at which an occasional line was written */
} Screen;

typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE } Severity;

void screen_open(Screen *s, Ctx *c, Arena *a, bool quiet, bool json);
void screen_show(Screen *s, Severity severity, const Error *e);
/* A message without a place. */
void screen_say(Screen *s, Severity severity, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void screen_progress(void *screen, const Progress *p); /* InferSettings.on_progress */
void screen_erase(Screen *s);                          /* the live line */

/* Characters of a line of the terminal behind a file descriptor; 80 where it is none. */
int screen_width(int file);

/* Interrupts are counted in the number that it gives; the second ends the process ... */
volatile int *interrupts_catch(void);
/* ... unless it is to endure them: a second one then also ends a step of inference that has no end (poll_interrupt). */
void screen_endure_interrupts(void);

#endif
