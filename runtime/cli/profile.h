/* --profile and :profile: the operations by time. */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include <stdio.h>

#include "tape/profile.h"

/* At most so many rows. `seconds` is what the command took in all. */
void profile_print(FILE *to, const Ctx *c, Profile *p, int rows, double seconds);

#endif
