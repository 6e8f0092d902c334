#include <locale.h>
#include <pthread.h>
#include <stdio.h>

#include "cli/options.h"

/* Programs may call themselves a thousand deep, so they run on a stack of their own: address space, not memory. */
enum { STACK_BYTES = 512 << 20 };

typedef struct Running {
    const Options *options;
    int code;
} Running;

static void *run_command(void *arg) {
    Running *c = arg;
    const Command *command = c->options->command;
    c->code = (c->options->single ? command->run_single : command->run)(c->options);
    return NULL;
}

static int run_on_large_stack(const Options *o) {
    Running c = {.options = o};
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (pthread_create(&thread, &attr, run_command, &c) == 0) pthread_join(thread, NULL);
    else run_command(&c); /* the interpreter asks how large its stack is */
    pthread_attr_destroy(&attr);
    return c.code;
}

int main(int argc, char **argv) {
    setlocale(LC_NUMERIC, "C"); /* numbers are written with a point, whatever the machine speaks */
    Options o;
    Buf why = {0};
    int code = EXIT_USAGE;
    if (options_parse(argc, argv, &o, &why))
        code = run_on_large_stack(&o);
    else
        fprintf(stderr, "ppl: %s", why.text);
    buf_free(&why);
    options_free(&o);
    return code;
}
