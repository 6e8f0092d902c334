/* Instructions of a program, and the loop that runs them. Private to tape/.
 *
 * The commonest exact operations on one number or on at most QUICK_LANES have codes of their own, by where their
 * operands are: what the last instructions gave is at hand in a register, so that a chain of operations does not wait
 * for memory. So have functions of the vector library, where there are registers for all lanes. All others call. */
#ifndef TAPE_CODE_H
#define TAPE_CODE_H

#include "tape/lines.h"

enum { QUICK_LANES = 8 };

/* X(NAME, how lanes compute it from A, B); numbers are computed as ops.def says. */
#define QUICK_1(X)                                                                                                     \
    X(COPY, A)                                                                                                         \
    X(NEG, -A)                                                                                                         \
    X(ABS, _mm512_abs_pd(A))                                                                                           \
    X(SQRT, _mm512_sqrt_pd(A))                                                                                         \
    X(SQUARE, A *A)                                                                                                    \
    X(SQUARED_ROOT, lanes_squared_root(A))                                                                             \
    X(RECIPROCAL, 1 / A)
#define QUICK_2(X)                                                                                                     \
    X(ADD, A + B)                                                                                                      \
    X(SUB, A - B)                                                                                                      \
    X(MUL, A *B)                                                                                                       \
    X(DIV, A / B)                                                                                                      \
    X(XDIVY, lanes_xdivy(A, B))

/* Functions of the vector library; lanes, or one number in all of them, are passed in a register. */
#define QUICK_VECTOR(X) X(EXP) X(LOG) X(LOG1P) X(EXPM1) X(TANH) X(SIGMOID) X(SOFTPLUS)

/* Two operations on numbers in one instruction, where nothing else needs what the first gives: it takes the last number
 * and one of memory, the second what that gives and another. FROM: the number of memory minus the other. */
#define PAIRS_OF(X, FIRST) X(FIRST, ADD) X(FIRST, SUB) X(FIRST, FROM) X(FIRST, MUL) X(FIRST, DIV)
#define PAIRS(X) PAIRS_OF(X, ADD) PAIRS_OF(X, SUB) PAIRS_OF(X, FROM) PAIRS_OF(X, MUL) PAIRS_OF(X, DIV)

/* An operand: in memory, one number of memory for all lanes, what the last instruction with this kind of result gave;
 * of lanes, the last number for all of them. */
typedef enum From { FROM_MEMORY, FROM_SPREAD, FROM_LAST, FROM_LAST_NUMBER, FROM_COUNT } From;
enum { CODES_1 = 2 + 2, CODES_2 = 3 + 11 }; /* by kinds of operands, as code_quick counts them */

typedef enum Code {
    CODE_END,
    CODE_NOTHING,
    CODE_WORK, /* `work` */
    CODE_ROW,  /* `row` */
    CODE_SUM_MEMORY,
    CODE_SUM_LAST,
    CODE_SUM_SQUARE_MEMORY, /* of the squares, or products with lanes of memory, that nothing else needs */
    CODE_SUM_SQUARE_LAST,
    CODE_SUM_MUL_MEMORY,
    CODE_SUM_MUL_LAST,
#define X(FIRST, SECOND) CODE_##FIRST##_##SECOND,
    PAIRS(X)
#undef X
#define X(NAME, ...) CODE_##NAME, CODE_LAST_##NAME = CODE_##NAME + CODES_1 - 1,
    QUICK_1(X)
    QUICK_VECTOR(X)
#undef X
#define X(NAME, ...) CODE_##NAME, CODE_LAST_##NAME = CODE_##NAME + CODES_2 - 1,
    QUICK_2(X)
#undef X
    CODE_COUNT
} Code;

/* What does not fit into an instruction begins with how it runs. False: it could not be done. */
typedef struct Work Work;
struct Work {
    bool (*run)(const Work *w);
};

/* An inner loop over one line. */
typedef struct RowCall {
    RowFn *row;
    int64_t n;
    real *out;
    const real *in[EW_MAX];
    int64_t stride[EW_MAX];
} RowCall;

typedef struct Instr {
    uint16_t code;
    uint8_t lanes; /* a bit for each */
    bool whole;    /* there is room for all lanes at `out` */
    union {
        real *out;
        const Work *work;
        const RowCall *row;
    };
    const real *in[2];
} Instr;

/* An operation on numbers in each step of a recurrence. At step t operands and result lie (t & moves) further: `moves` has all
 * bits, or none where it stays. */
typedef struct ScanInstr {
    uint16_t code; /* of a number, CODE_ROW, or CODE_END, which moves t by `out_moves` */
    real *out;
    const real *in[EW_MAX];
    int64_t out_moves, moves[EW_MAX];
    RowFn *row;
} ScanInstr;

/* The code for an operation on a number (lanes false) or lanes, or CODE_END: there is none. */
Code code_quick(Op op, bool lanes, const From *from);
/* The code for two operations on numbers (PAIRS), or CODE_END. The first has the last number as operand `last`, the second what
 * the first gives as operand `given`. */
Code code_pair(Op first, int last, Op second, int given);
/* It needs registers for all lanes, for one number too, and leaves nothing but its result at hand. */
bool code_is_vector(Op op);

#endif
