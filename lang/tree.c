#include "lang/tree.h"

#include "lang/lang.h"

const char *lang_type_name(TypeKind kind) {
    static const char *const NAMES[] = {
        [TYPE_ANY] = "any", [TYPE_REAL] = "real", [TYPE_INT] = "int", [TYPE_BOOL] = "bool",
        [TYPE_POSITIVE] = "positive", [TYPE_UNIT] = "unit", [TYPE_SIMPLEX] = "simplex", [TYPE_ORDERED] = "ordered",
        [TYPE_COV] = "cov", [TYPE_CORR_CHOLESKY] = "corr_cholesky",
    };
    return NAMES[kind];
}

const char *lang_binary_text(BinaryOp op) {
    static const char *const TEXTS[] = {
        [BINARY_ADD] = "+", [BINARY_SUB] = "-", [BINARY_MUL] = "*", [BINARY_DIV] = "/", [BINARY_MOD] = "%",
        [BINARY_POW] = "^", [BINARY_MATMUL] = "@", [BINARY_EQ] = "==", [BINARY_NE] = "!=", [BINARY_LT] = "<",
        [BINARY_LE] = "<=", [BINARY_GT] = ">", [BINARY_GE] = ">=", [BINARY_AND] = "and", [BINARY_OR] = "or",
    };
    return TEXTS[op];
}
