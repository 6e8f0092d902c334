/* Which code an operation has (code.h). */
#include "tape/code.h"

/* In the order of the routines of lines_code.c. */
static const From kinds_1[CODES_1][1] = {{FROM_MEMORY}, {FROM_LAST}, {FROM_MEMORY}, {FROM_LAST}};
static const From kinds_2[CODES_2][2] = {
    {FROM_MEMORY, FROM_MEMORY},      {FROM_LAST, FROM_MEMORY}, {FROM_MEMORY, FROM_LAST},
    {FROM_MEMORY, FROM_MEMORY},      {FROM_MEMORY, FROM_SPREAD}, {FROM_SPREAD, FROM_MEMORY},
    {FROM_LAST, FROM_MEMORY},        {FROM_MEMORY, FROM_LAST}, {FROM_LAST, FROM_SPREAD},
    {FROM_SPREAD, FROM_LAST},        {FROM_MEMORY, FROM_LAST_NUMBER}, {FROM_LAST_NUMBER, FROM_MEMORY},
    {FROM_LAST, FROM_LAST_NUMBER},   {FROM_LAST_NUMBER, FROM_LAST},
};
enum { NUMBERS_1 = 2, NUMBERS_2 = 3 }; /* the first so many are for numbers */

static Code first_code(Op op) {
    switch (op) {
#define X(NAME, ...)                                                                                                   \
    case OP_##NAME: return CODE_##NAME;
        QUICK_1(X)
        QUICK_VECTOR(X)
        QUICK_2(X)
#undef X
    default: return CODE_END;
    }
}

/* Which of the operations of PAIRS it is with the number at hand as operand k; -1: none. */
static int pair_part(Op op, int k) {
    switch (op) {
    case OP_ADD: return 0;
    case OP_SUB: return k ? 2 : 1;
    case OP_MUL: return 3;
    case OP_DIV: return k ? -1 : 4;
    default: return -1;
    }
}

Code code_pair(Op first, int last, Op second, int given) {
    static const Code codes[] = {
#define X(FIRST, SECOND) CODE_##FIRST##_##SECOND,
        PAIRS(X)
#undef X
    };
    int a = pair_part(first, last), b = pair_part(second, given);
    return a < 0 || b < 0 ? CODE_END : codes[5 * a + b];
}

bool code_is_vector(Op op) {
    switch (op) {
#define X(NAME) case OP_##NAME:
        QUICK_VECTOR(X)
#undef X
        return true;
    default: return false;
    }
}

Code code_quick(Op op, bool lanes, const From *from) {
    Code first = first_code(op);
    if (first == CODE_END) return CODE_END;
    bool two = op_info(op)->arity == 2;
    int numbers = two ? NUMBERS_2 : NUMBERS_1, all = two ? CODES_2 : CODES_1;
    for (int k = lanes ? numbers : 0; k < (lanes ? all : numbers); k++)
        if (two ? kinds_2[k][0] == from[0] && kinds_2[k][1] == from[1] : kinds_1[k][0] == from[0]) return first + k;
    return CODE_END;
}
