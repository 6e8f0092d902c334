/* `ppl help NAME` within a session. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/session.h"

/* Explain a command, a statement, a function, a distribution or a group of them; false: nothing is called so, and the
 * nearest name was reported. */
bool help_show(Session *s, const char *name);

#endif
