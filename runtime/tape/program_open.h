/* A program's steps one by one, for who wants to look at them. Private to tape/. */
#ifndef TAPE_PROGRAM_OPEN_H
#define TAPE_PROGRAM_OPEN_H

#include "tape/plan.h"
#include "tape/program.h"

const Plan *program_plan(const Program *p);

/* Runs the steps of a unit one by one, so that there is something to look at: blocks, and what another step takes on its
 * way, get arrays in `room`. Calls look after each; false: a step could not be done, or look said stop. */
typedef bool LookFn(void *self, int step);
bool program_run_openly(Program *p, const Unit *u, Arena *room, LookFn *look, void *self);

#endif
