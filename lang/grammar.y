/* The grammar of the language. LALR(1) without a conflict; an action is one call of a constructor (build.h). The tokens
 * come arranged by tokens.c: line ends that separate, blocks and records told apart, keywords of forms. */
%require "3.8"
%expect 0
%define api.pure full
%define api.prefix {lang_yy}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%define lr.default-reduction accepting
%param {Parser *p}

%code requires {
#include "lang/build.h"
#include "lang/parser.h"
}

%code {
#define YYLLOC_DEFAULT(current, rhs, n) \
    ((current) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n)) : span_after(YYRHSLOC(rhs, 0)))
#define HEAD(first, last) span_join(first, last)

static int lang_yylex(LANG_YYSTYPE *value, Span *at, Parser *p);
static void lang_yyerror(Span *at, Parser *p, const char *message);
static Span span_after(Span before) {
    return (Span){before.file, before.end_line, before.end_column, before.end_line, before.end_column};
}
}

%union {
    Word word;
    double number;
    Expr *expr;
    Stmt *stmt;
    Block *block;
    Function *function;
    Type *type;
    List *list;
    Body body;
    Bounds bounds;
    Argument argument;
    Param param;
    PlateRange plate;
}

%token END 0 "the end of the file"
%token SEPARATOR "the end of the line"
%token <word> NAME "a name" STRING "a string"
%token <number> NUMBER "a number"
%token IF "if" IF_STATEMENT "if at the beginning of a statement" ELSE "else" FOR "for" WHILE "while" IN "in"
%token AND "and" OR "or" NOT "not" RETURN "return" TRUE_ "true" FALSE_ "false" MISSING "missing"
%token DATA "data" FN "fn" NET "net" MODEL "model" GUIDE "guide" DIST "dist" PARAM "param" PLATE "plate"
%token IMPORT "import" ON "on" WITH "with" OBSERVE "observe" FACTOR "factor" REFINE "refine"
%token BLOCK_OPEN "{" RECORD_OPEN "{ of a record"
%token DOTS ".." PIPE "|>" ARROW "->" RECORDS ":=" EQ "==" NE "!=" LE "<=" GE ">="

%left "|>"
%left "or"
%left "and"
%precedence "not"
%nonassoc "==" "!=" '<' "<=" '>' ">="
%nonassoc ".."
%left '+' '-'
%left '*' '/' '%' '@'
%precedence NEGATION
%right '^'

%type <expr> expr operation postfix primary if_expression with default condition
%type <stmt> statement simple if_statement
%type <block> block branch
%type <list> lines expressions items item_list indices arguments argument_list parameters parameter_list fields field_list
%type <list> plates members sizes
%type <argument> argument field
%type <param> parameter
%type <plate> plate
%type <function> member
%type <type> type type_mark
%type <body> body guide_body
%type <bounds> bounds
%type <expr> index

%%

program: lines                          { p->result = build_block(p, $1, @$); }
  ;
lines: %empty                           { $$ = NULL; }
  | statement                           { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | error                               { $$ = NULL; yyerrok; }
  | lines SEPARATOR                     { $$ = $1; }
  | lines SEPARATOR statement           { $$ = build_list(p, $1, &$3, sizeof $3); }
  | lines SEPARATOR error               { $$ = $1; yyerrok; }
  ;
block: "{" lines '}'                    { $$ = build_block(p, $2, @$); }
  ;

/* -- Statements -- */
statement: simple
  | if_statement
  | DATA NAME type_mark default         { $$ = build_data(p, $2, $3, $4, @$); }
  | FN NAME parameters body             { $$ = build_function(p, FUNCTION_FN, $2, $3, $4, HEAD(@1, @3), @$); }
  | NET NAME parameters body            { $$ = build_function(p, FUNCTION_NET, $2, $3, $4, HEAD(@1, @3), @$); }
  | MODEL NAME body                     { $$ = build_function(p, FUNCTION_MODEL, $2, NULL, $3, HEAD(@1, @2), @$); }
  | MODEL NAME parameters body          { $$ = build_function(p, FUNCTION_MODEL, $2, $3, $4, HEAD(@1, @3), @$); }
  | GUIDE NAME FOR NAME with guide_body { $$ = build_guide(p, $2, NULL, $4, $5, $6, HEAD(@1, @4), @$); }
  | GUIDE NAME parameters FOR NAME with guide_body { $$ = build_guide(p, $2, $3, $5, $6, $7, HEAD(@1, @5), @$); }
  | DIST NAME parameters ON type "{" members '}'   { $$ = build_dist(p, $2, $3, $5, $7, HEAD(@1, @5), @$); }
  | PARAM NAME type_mark default        { $$ = build_param(p, $2, $3, $4, @$); }
  | PLATE plates block                  { $$ = build_plate(p, $2, $3, @$); }
  | FOR NAME IN expr block              { $$ = build_for(p, $2, $4, $5, @$); }
  | WHILE condition block               { $$ = build_while(p, $2, $3, @$); }
  | REFINE postfix FOR NAME IN expr block { $$ = build_refine(p, $2, $4, $6, $7, @$); }
  | IMPORT STRING                       { $$ = build_import(p, $2, @$); }
  ;
simple: expr                            { $$ = build_statement(p, STMT_EXPR, $1, @$); }
  | postfix '=' expr                    { $$ = build_assign(p, STMT_ASSIGN, $1, $3, @$); }
  | postfix RECORDS expr                { $$ = build_assign(p, STMT_RECORD, $1, $3, @$); }
  | postfix '~' expr                    { $$ = build_sample(p, $1, $3, @$); }
  | OBSERVE operation '~' expr          { $$ = build_observe(p, $2, $4, @$); }
  | FACTOR expr                         { $$ = build_statement(p, STMT_FACTOR, $2, @$); }
  | RETURN                              { $$ = build_statement(p, STMT_RETURN, NULL, @$); }
  | RETURN expr                         { $$ = build_statement(p, STMT_RETURN, $2, @$); }
  ;
if_statement: IF_STATEMENT condition block      { $$ = build_if(p, $2, $3, NULL, @$); }
  | IF_STATEMENT condition block ELSE branch    { $$ = build_if(p, $2, $3, $5, @$); }
  ;
branch: block
  | IF condition block                  { $$ = build_else_if(p, $2, $3, NULL, @$); }
  | IF condition block ELSE branch      { $$ = build_else_if(p, $2, $3, $5, @$); }
  ;
condition: expr
  ;

/* -- Parts of statements -- */
with: %empty                            { $$ = NULL; }
  | WITH expr                           { $$ = $2; }
  ;
default: %empty                         { $$ = NULL; }
  | '=' expr                            { $$ = $2; }
  ;
body: '=' expr                          { $$ = (Body){.expr = $2}; }
  | block                               { $$ = (Body){.block = $1}; }
  ;
guide_body: %empty                      { $$ = (Body){.expr = NULL}; }
  | block                               { $$ = (Body){.block = $1}; }
  ;
parameters: '(' ')'                     { $$ = NULL; }
  | '(' parameter_list ')'              { $$ = $2; }
  | '(' parameter_list ',' ')'          { $$ = $2; }
  ;
parameter_list: parameter               { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | parameter_list ',' parameter        { $$ = build_list(p, $1, &$3, sizeof $3); }
  ;
parameter: NAME type_mark default       { $$ = (Param){.name = $1.text, .span = @1, .type = $2, .default_value = $3}; }
  ;
type_mark: %empty                       { $$ = NULL; }
  | ':' type                            { $$ = $2; }
  ;
type: NAME bounds sizes                 { $$ = build_type(p, $1, $2, $3, @$); }
  ;
bounds: %empty                          { $$ = (Bounds){.low = NULL}; }
  | '(' expr ',' expr ')'               { $$ = (Bounds){$2, $4}; }
  ;
sizes: %empty                           { $$ = NULL; }
  | '[' expressions ']'                 { $$ = $2; }
  ;
plates: plate                           { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | plates ',' plate                    { $$ = build_list(p, $1, &$3, sizeof $3); }
  ;
plate: NAME IN expr                     { $$ = (PlateRange){.name = $1.text, .span = @1, .range = $3}; }
  ;
members: %empty                         { $$ = NULL; }
  | member                              { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | error                               { $$ = NULL; yyerrok; }
  | members SEPARATOR                   { $$ = $1; }
  | members SEPARATOR member            { $$ = build_list(p, $1, &$3, sizeof $3); }
  | members SEPARATOR error             { $$ = $1; yyerrok; }
  ;
member: NAME parameters body            { $$ = build_member(p, $1, $2, $3, HEAD(@1, @2)); }
  ;

/* -- Expressions -- */
expr: operation
  | postfix "->" expr                   { $$ = build_lambda(p, $1, $3, @$); }
  | '(' ')' "->" expr                   { $$ = build_lambda(p, NULL, $4, @$); }
  ;
operation: postfix
  | operation "|>" operation            { $$ = build_pipe(p, $1, $3, @$); }
  | operation "or" operation            { $$ = build_binary(p, BINARY_OR, $1, $3, @$); }
  | operation "and" operation           { $$ = build_binary(p, BINARY_AND, $1, $3, @$); }
  | "not" operation                     { $$ = build_unary(p, UNARY_NOT, $2, @$); }
  | operation "==" operation            { $$ = build_binary(p, BINARY_EQ, $1, $3, @$); }
  | operation "!=" operation            { $$ = build_binary(p, BINARY_NE, $1, $3, @$); }
  | operation '<' operation             { $$ = build_binary(p, BINARY_LT, $1, $3, @$); }
  | operation "<=" operation            { $$ = build_binary(p, BINARY_LE, $1, $3, @$); }
  | operation '>' operation             { $$ = build_binary(p, BINARY_GT, $1, $3, @$); }
  | operation ">=" operation            { $$ = build_binary(p, BINARY_GE, $1, $3, @$); }
  | operation ".." operation            { $$ = build_range(p, $1, $3, @$); }
  | operation '+' operation             { $$ = build_binary(p, BINARY_ADD, $1, $3, @$); }
  | operation '-' operation             { $$ = build_binary(p, BINARY_SUB, $1, $3, @$); }
  | operation '*' operation             { $$ = build_binary(p, BINARY_MUL, $1, $3, @$); }
  | operation '/' operation             { $$ = build_binary(p, BINARY_DIV, $1, $3, @$); }
  | operation '%' operation             { $$ = build_binary(p, BINARY_MOD, $1, $3, @$); }
  | operation '@' operation             { $$ = build_binary(p, BINARY_MATMUL, $1, $3, @$); }
  | '-' operation %prec NEGATION        { $$ = build_unary(p, UNARY_NEG, $2, @$); }
  | operation '^' operation             { $$ = build_binary(p, BINARY_POW, $1, $3, @$); }
  ;
postfix: primary
  | postfix '(' arguments ')'           { $$ = build_call(p, $1, $3, @$); }
  | postfix '[' indices ']'             { $$ = build_index(p, $1, $3, @$); }
  | postfix '.' NAME                    { $$ = build_field(p, $1, $3, @$); }
  ;
primary: NUMBER                         { $$ = build_number(p, $1, @$); }
  | STRING                              { $$ = build_string(p, $1); }
  | "true"                              { $$ = build_bool(p, true, @$); }
  | "false"                             { $$ = build_bool(p, false, @$); }
  | "missing"                           { $$ = build_missing(p, @$); }
  | NAME                                { $$ = build_name(p, $1); }
  | '(' expr ')'                        { $$ = $2; }
  | '(' expr ',' expressions ')'        { $$ = build_tuple(p, $2, $4, @$); }
  | '[' items ']'                       { $$ = build_array(p, $2, @$); }
  | RECORD_OPEN fields '}'              { $$ = build_record(p, $2, @$); }
  | if_expression
  ;
if_expression: IF condition block ELSE block    { $$ = build_if_expression(p, $2, $3, $5, @$); }
  | IF condition block ELSE if_expression       { $$ = build_if_expression(p, $2, $3, build_branch(p, $5), @$); }
  ;
items: %empty                           { $$ = NULL; }
  | item_list
  | item_list ','
  ;
item_list: expr                         { $$ = build_items(p, NULL, $1); }
  | item_list ',' expr                  { $$ = build_items(p, $1, $3); }
  ;
expressions: expr                       { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | expressions ',' expr                { $$ = build_list(p, $1, &$3, sizeof $3); }
  ;
indices: index                          { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | indices ',' index                   { $$ = build_list(p, $1, &$3, sizeof $3); }
  ;
index: expr
  | ':'                                 { $$ = NULL; }
  ;
arguments: %empty                       { $$ = NULL; }
  | argument_list
  | argument_list ','
  ;
argument_list: argument                 { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | argument_list ',' argument          { $$ = build_list(p, $1, &$3, sizeof $3); }
  ;
argument: expr                          { $$ = (Argument){.value = $1}; }
  | NAME '=' expr                       { $$ = (Argument){.name = $1.text, .name_span = @1, .value = $3}; }
  ;
fields: %empty                          { $$ = NULL; }
  | field_list
  | field_list ','
  ;
field_list: field                       { $$ = build_list(p, NULL, &$1, sizeof $1); }
  | field_list ',' field                { $$ = build_list(p, $1, &$3, sizeof $3); }
  ;
field: NAME ':' expr                    { $$ = (Argument){.name = $1.text, .name_span = @1, .value = $3}; }
  | STRING ':' expr                     { $$ = (Argument){.name = $1.text, .name_span = @1, .value = $3}; }
  ;

%%

static int lang_yylex(LANG_YYSTYPE *value, Span *at, Parser *p) {
    const Token *t = parser_next_token(p);
    if (t->kind == NAME || t->kind == STRING)
        value->word = parser_word(p, t);
    else if (t->kind == NUMBER)
        value->number = parser_number(p, t);
    *at = p->span;
    return t->kind;
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *names[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    for (int i = 0; i < n; i++)
        names[i] = yysymbol_name(kinds[i]);
    syntax_report(p, names, n < 0 ? 0 : n);
    return 0;
}

/* Bison's own words: its stack is exhausted. */
static void lang_yyerror(Span *at, Parser *p, const char *message) {
    (void)message;
    parser_error(p, *at, "give parts of it names", "this is nested too deeply");
}
