/* --profile: the operations by time. */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include "tape/profile.h"

/* Standard error; `seconds` is what the command took in all. */
void profile_print(const Ctx *c, Profile *p, double seconds);

#endif
