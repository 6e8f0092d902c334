/* --data: files to the data that the program declares. */
#ifndef CLI_DATA_H
#define CLI_DATA_H

#include "cli/session.h"

/* Read every --data file and supply what the loaded module declares. Later files win over earlier ones. Raises what
 * cannot be read; warns of data that nobody declares. */
void data_supply(Session *s);

#endif
