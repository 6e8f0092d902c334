#include <stdio.h>

#include "cli/commands.h"
#include "cli/data.h"
#include "cli/program.h"
#include "cli/session.h"
#include "infer/program_tree.h"
#include "lang/dump.h"

/* -- The sites of a program, as an indented list -- */

static void show_statement(Session *s, const char *role, Span at, int depth) {
    printf("%5d  %-9s %*s%s\n", at.line, role, 2 * depth, "", program_text(s->ctx, s->arena, at));
}

static void show_block(Session *s, const Block *b, int depth);

/* The line of a loop, a plate or a condition: its text up to the brace. */
static void show_head(Session *s, Span whole, const Block *body, int depth) {
    Span head = whole;
    head.end_line = body->span.line;
    head.end_column = body->span.column;
    show_statement(s, "", head, depth);
    show_block(s, body, depth + 1);
}

static void show_sites(Session *s, const Stmt *t, int depth) {
    switch (t->kind) {
    case STMT_SAMPLE:
        show_statement(s, t->u.sample.role == ROLE_LATENT ? "latent" : "observed", t->span, depth);
        break;
    case STMT_OBSERVE: show_statement(s, "observed", t->span, depth); break;
    case STMT_FACTOR: show_statement(s, "factor", t->span, depth); break;
    case STMT_RECORD: show_statement(s, "recorded", t->span, depth); break;
    case STMT_PARAM: show_statement(s, "param", t->span, depth); break;
    case STMT_PLATE: show_head(s, t->span, t->u.plate.body, depth); break;
    case STMT_FOR: show_head(s, t->span, t->u.for_.body, depth); break;
    case STMT_WHILE: show_head(s, t->span, t->u.while_.body, depth); break;
    case STMT_REFINE: show_head(s, t->span, t->u.refine.body, depth); break;
    case STMT_IF:
        show_head(s, t->span, t->u.if_.then, depth);
        if (t->u.if_.otherwise) {
            printf("%5d  %-9s %*selse\n", t->u.if_.otherwise->span.line, "", 2 * depth, "");
            show_block(s, t->u.if_.otherwise, depth + 1);
        }
        break;
    default: break; /* nothing random stands in the others by itself */
    }
}

static void show_block(Session *s, const Block *b, int depth) {
    for (int k = 0; k < b->n; k++) show_sites(s, b->statements[k], depth);
}

static void show_module_sites(Session *s, const Module *m) {
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *t = m->body->statements[k];
        if (t->kind == STMT_IMPORT && t->u.import.module) show_module_sites(s, t->u.import.module);
        if (t->kind == STMT_DATA) show_statement(s, "data", t->span, 0);
        if (t->kind != STMT_FUNCTION || !t->u.function.function->body) continue;
        show_statement(s, "", t->u.function.function->span, 0);
        show_block(s, t->u.function.function->body, 1);
    }
}

/* -- How discrete latents would be inferred -- */

typedef struct Statement {
    Interp *in;
    const Stmt *stmt;
} Statement;

static void run_one(void *self) {
    Statement *t = self;
    interp_run_statement(t->in, t->stmt, NULL);
}

/* Definitions and data, no inference and no output. What needs data that are not given stays unbound. */
static void run_definitions(Session *s, const Module *m) {
    for (int k = 0; k < m->body->n; k++) {
        Stmt *t = m->body->statements[k];
        Statement one = {s->interp, t};
        Error e;
        if (t->kind == STMT_IMPORT && t->u.import.module) {
            run_definitions(s, t->u.import.module);
            continue;
        }
        bool binds = t->kind == STMT_DATA || t->kind == STMT_FUNCTION || t->kind == STMT_DIST ||
                     t->kind == STMT_ASSIGN || t->kind == STMT_UNPACK;
        Block alone = {.statements = &t, .n = 1};
        if (!binds || tree_block_calls(&alone, "infer")) continue;
        if (ctx_protect(s->ctx, run_one, &one, &e)) continue;
        bool given = t->kind == STMT_DATA && s->options->ndata > 0; /* then the data are checked too */
        if (given || e.kind == ERROR_INTERRUPT) ctx_reraise(s->ctx, &e);
    }
}

static void show_discrete(Session *s, const Module *m) {
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *t = m->body->statements[k];
        if (t->kind != STMT_FUNCTION) continue;
        const char **lines;
        int n = infer_discrete_lines(s->interp, m, t, s->arena, &lines);
        if (n > 0) printf("\n%s:\n", t->u.function.function->name);
        for (int j = 0; j < n; j++) printf("  %s\n", lines[j]);
    }
}

static int check_session(Session *s) {
    s->screen.json = s->options->json;
    if (!session_load(s, s->options->file)) return EXIT_PROGRAM;
    if (s->options->tree) {
        Buf tree = {0};
        lang_dump(s->module, &tree);
        fputs(tree.text, stdout);
        buf_free(&tree);
        return EXIT_DONE;
    }
    data_supply(s);
    if (s->options->ndata > 0 || s->options->sites) run_definitions(s, s->module);
    if (s->options->sites) {
        show_module_sites(s, s->module);
        show_discrete(s, s->module);
    }
    if (!s->options->sites && !s->options->json) printf("%s: no mistakes found\n", s->options->file);
    return EXIT_DONE;
}

int command_check(const Options *o) { return session_run(o, NULL, check_session); }
