#include <locale.h>
#include <stdio.h>

#include "cli/options.h"

int main(int argc, char **argv) {
    setlocale(LC_NUMERIC, "C"); /* numbers are written with a point, whatever the machine speaks */
    Options o;
    Buf why = {0};
    int code = EXIT_USAGE;
    if (options_parse(argc, argv, &o, &why))
        code = o.command->run(&o);
    else
        fprintf(stderr, "ppl: %s", why.text);
    buf_free(&why);
    options_free(&o);
    return code;
}
