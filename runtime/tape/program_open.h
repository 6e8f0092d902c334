/* A program's steps one by one, for who wants to look at them. Private to tape/. */
#ifndef TAPE_PROGRAM_OPEN_H
#define TAPE_PROGRAM_OPEN_H

#include "tape/plan.h"
#include "tape/program.h"

const Plan *program_plan(const Program *p);

/* Runs all steps one by one, so that there is something to look at: while a unit runs, its blocks, and what another step
 * takes on its way, have arrays. Calls look after each step; ends where a step cannot be done, or look says false. */
typedef bool LookFn(void *self, int step);
void program_run_openly(Program *p, LookFn *look, void *self);

#endif
