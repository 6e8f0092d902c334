/* What inference asks of the text of a program: which names it reads. */
#ifndef INFER_PROGRAM_TREE_H
#define INFER_PROGRAM_TREE_H

#include "interp/interp.h"

/* Is the global with this slot read (or drawn, or observed) anywhere within? */
bool tree_statement_reads(const Stmt *t, int slot);
bool tree_function_reads(const Function *f, int slot);
/* Is a builtin of this name called anywhere within? */
bool tree_block_calls(const Block *b, const char *builtin);
/* The first declared data of the program that no function reads; NULL: all are read. */
const Global *tree_unread_data(Interp *in);

#endif
