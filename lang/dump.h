/* A tree as S-expressions, a statement a line: for `ppl check --tree` and for tests. */
#ifndef LANG_DUMP_H
#define LANG_DUMP_H

#include "base/strings.h"
#include "lang/tree.h"

void lang_dump(const Module *m, Buf *out);
void lang_dump_function(const Function *f, Buf *out);

#endif
