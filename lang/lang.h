/* The front end: from text to a checked tree.
 *
 *     Globals *g = lang_globals_new(ctx, names, nnames);
 *     Module *m = lang_load(ctx, g, file, &options, &diagnostics);     // NULL: diagnostics says why
 *
 * Text that is wrong is reported, several mistakes at a time, in `diagnostics`; nothing is raised but for lack of
 * memory or for a wrong library. The same Globals serve a file and its imports, and the lines of a REPL one after the other:
 * each module adds its top-level names (or binds them anew). A name that is bound nowhere else is looked for in the library,
 * then among the builtins.
 */
#ifndef LANG_LANG_H
#define LANG_LANG_H

#include "lang/tree.h"

/* A function that the runtime provides. `signature` is "name(a, b = , ...)" style text: parameter names in order,
 * `=` behind those that may be left out, "..." for any number more; checked where a call names it directly. */
typedef struct BuiltinName {
    const char *name;
    const char *signature; /* "(x, base = )"; NULL: not checked */
} BuiltinName;

typedef enum GlobalKind { GLOBAL_VALUE, GLOBAL_DATA, GLOBAL_FUNCTION, GLOBAL_DIST } GlobalKind;
typedef struct Global {
    const char *name;
    GlobalKind kind;
    Span span;             /* where it was bound last */
    const Function *function; /* GLOBAL_FUNCTION */
    const DistDecl *dist;     /* GLOBAL_DIST */
    const Expr *constant;     /* GLOBAL_VALUE of the library: `pi = 3.14` */
} Global;

typedef struct Globals Globals;
Globals *lang_globals_new(Ctx *c, const BuiltinName *builtins, int nbuiltins);
int lang_globals_count(const Globals *g);
const Global *lang_global(const Globals *g, int slot);
int lang_global_find(const Globals *g, const char *name); /* slot, or -1 */

/* The library: definitions `dist|fn|net|model|guide NAME ...` or `NAME = value`, each parsed and resolved when it is first
 * named. Their names mean the library and the builtins, whatever a program calls by the same name; programs may bind the
 * names anew, in any role. */
typedef struct LibraryEntry {
    const char *name;
    int file;          /* which of the library's sources */
    int line;          /* where it begins */
    int start, length; /* its bytes there */
} LibraryEntry;

/* Entries sorted by name (strcmp), which outlive g; their sources are those from first_file on. Before any lang_load. */
void lang_globals_library(Globals *g, const LibraryEntry *entries, int n, int first_file);
int lang_library_count(const Globals *g);
int lang_library_find(const Globals *g, const char *name); /* number, or -1 */
const char *lang_library_name(const Globals *g, int k);
/* The definition, loaded now if it was not; raised is what is wrong with it. */
const Global *lang_library(Globals *g, int k);
const Global *lang_library_loaded(const Globals *g, int k); /* NULL: nothing has named it so far */

typedef struct Diagnostic {
    bool warning;
    Error error;
} Diagnostic;
typedef struct Diagnostics {
    Diagnostic *list;
    int n, capacity, nerrors;
    int max_errors; /* 20 by default */
} Diagnostics;

typedef struct LoadOptions {
    bool interactive;   /* a line of the REPL: names may be bound anew in any role */
    /* Read an imported file, given the importing file's name and the path as written: gives the number of the
     * registered source, or -1 with *why set. NULL: imports are errors. */
    int (*read_import)(void *self, Ctx *c, const char *importer, const char *path, const char **why);
    void *self;
} LoadOptions;

/* Parse and resolve one registered source. */
Module *lang_load(Ctx *c, Globals *g, int file, const LoadOptions *options, Diagnostics *out);

/* Is the text a whole program so far, or would more lines complete it (an open bracket, a trailing operator)? */
typedef enum Completeness { TEXT_COMPLETE, TEXT_UNFINISHED, TEXT_WRONG } Completeness;
Completeness lang_completeness(Ctx *c, const char *text);

/* What a name of another language is here, as a hint; NULL: it is none that people try. */
const char *lang_foreign_hint(const char *name);
const char *lang_type_name(TypeKind kind); /* "real", "int", ... */
const char *lang_binary_text(BinaryOp op); /* "+", "==", ... */

#endif
