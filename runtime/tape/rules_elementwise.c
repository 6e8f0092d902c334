/* Derivatives of the elementwise operations. In a rule a, b, c are the operands, y the output, g its gradient. */
#include <math.h>

#include "tape/rules.h"

#define NEG(a) OP1(NEG, a)
#define ADD(a, b) OP2(ADD, a, b)
#define SUB(a, b) OP2(SUB, a, b)
#define DIV(a, b) OP2(DIV, a, b)
#define SHARE(g, b) OP2(XDIVY, g, b) /* g / b; no gradient comes through an impossible value: 0 where g is 0 */
#define EXP(a) OP1(EXP, a)
#define SQUARE(a) OP1(SQUARE, a)
#define WHERE(c, a, b) OP3(WHERE, c, a, b)
#define IS_ZERO(a) OP2(EQ, a, NUMBER(0))

#define UNARY(name, DA)                                                                                                \
    void vjp_##name(Rule *r) {                                                                                         \
        const Var a = r->in[0], y = r->out, g = r->g;                                                                  \
        (void)a, (void)y;                                                                                              \
        rule_give(r, 0, DA);                                                                                           \
    }

#define BINARY(name, DA, DB)                                                                                           \
    void vjp_##name(Rule *r) {                                                                                         \
        const Var a = r->in[0], b = r->in[1], y = r->out, g = r->g;                                                    \
        (void)a, (void)b, (void)y;                                                                                     \
        if (r->wants[0]) rule_give(r, 0, DA);                                                                          \
        if (r->wants[1]) rule_give(r, 1, DB);                                                                          \
    }

#define TERNARY(name, DA, DB, DC)                                                                                      \
    void vjp_##name(Rule *r) {                                                                                         \
        const Var a = r->in[0], b = r->in[1], c = r->in[2], g = r->g;                                                  \
        (void)a, (void)b, (void)c;                                                                                     \
        if (r->wants[0]) rule_give(r, 0, DA);                                                                          \
        if (r->wants[1]) rule_give(r, 1, DB);                                                                          \
        if (r->wants[2]) rule_give(r, 2, DC);                                                                          \
    }

#define TWO_OVER_SQRT_PI 1.12837916709551257390
#define INV_SQRT_2PI 0.398942280401432677940
#define SQRT_2PI 2.50662827463100050242
#define LOG_SQRT_2PI 0.918938533204672741780

/* The logarithm of a sum that is 0 stands for no share at all: exp(-inf - 0) is 0 where exp(-inf + inf) is not. */
static Var finite_log(Rule *r, Var y) { return WHERE(OP2(EQ, y, NUMBER(-INFINITY)), NUMBER(0), y); }

/* 2 g a: of a constant number g one product is left; of an array the 2 is its factor. */
static Var doubled(Rule *r, Var g, Var a) {
    bool number = shape_size(r->out.value->shape) == 1;
    return number ? MUL(MUL(g, NUMBER(2)), a) : MUL(MUL(g, a), NUMBER(2));
}

static Var half_square(Rule *r, Var a) { return MUL(NUMBER(0.5), SQUARE(a)); }

/* density / cdf at a, with the cdf's logarithm y. Far out the squares cancel: there t + 1 / t - 2 / t^3, t = -a. */
static Var normal_hazard(Rule *r, Var a, Var y) {
    const double far = sizeof(real) < sizeof(double) ? 30 : 1000;
    Var t = OP2(MAX, NEG(a), NUMBER(far)), inverse = OP1(RECIPROCAL, t);
    Var tail = ADD(t, MUL(inverse, SUB(NUMBER(1), MUL(NUMBER(2), SQUARE(inverse)))));
    Var near = OP2(MAX, a, NUMBER(-far)), log_cdf = WHERE(OP2(LT, NEG(a), NUMBER(far)), y, NUMBER(0));
    Var inside = EXP(SUB(SUB(NUMBER(-LOG_SQRT_2PI), half_square(r, near)), log_cdf));
    return WHERE(OP2(LT, NEG(a), NUMBER(far)), inside, tail);
}

UNARY(copy, g)
UNARY(neg, NEG(g))
UNARY(abs, MUL(g, OP1(SIGN, a)))
UNARY(exp, MUL(g, y))
UNARY(log, SHARE(g, a))
UNARY(log1p, SHARE(g, ADD(a, NUMBER(1))))
UNARY(expm1, MUL(g, EXP(a)))
UNARY(sqrt, SHARE(MUL(g, NUMBER(0.5)), y))
UNARY(square, doubled(r, g, a))
UNARY(squared_root, g)
UNARY(reciprocal, NEG(MUL(g, SQUARE(y))))
UNARY(sin, MUL(g, OP1(COS, a)))
UNARY(cos, NEG(MUL(g, OP1(SIN, a))))
UNARY(tan, MUL(g, ADD(NUMBER(1), SQUARE(y))))
UNARY(asin, DIV(g, OP1(SQRT, SUB(NUMBER(1), SQUARE(a)))))
UNARY(acos, NEG(DIV(g, OP1(SQRT, SUB(NUMBER(1), SQUARE(a))))))
UNARY(atan, DIV(g, ADD(NUMBER(1), SQUARE(a))))
UNARY(sinh, MUL(g, OP1(COSH, a)))
UNARY(cosh, MUL(g, OP1(SINH, a)))
UNARY(tanh, MUL(g, SUB(NUMBER(1), SQUARE(y))))
UNARY(sigmoid, MUL(g, MUL(y, OP1(SIGMOID, NEG(a)))))
UNARY(softplus, MUL(g, OP1(SIGMOID, a)))
UNARY(log1m_exp, NEG(SHARE(g, OP1(EXPM1, NEG(a)))))
UNARY(lgamma, MUL(g, OP1(DIGAMMA, a)))
UNARY(digamma, MUL(g, OP1(TRIGAMMA, a)))
UNARY(trigamma, MUL(g, OP2(POLYGAMMA, NUMBER(2), a)))
UNARY(erf, MUL(g, MUL(NUMBER(TWO_OVER_SQRT_PI), EXP(NEG(SQUARE(a))))))
UNARY(erfc, MUL(g, MUL(NUMBER(-TWO_OVER_SQRT_PI), EXP(NEG(SQUARE(a))))))
UNARY(normal_cdf, MUL(g, MUL(NUMBER(INV_SQRT_2PI), EXP(NEG(half_square(r, a))))))
UNARY(log_normal_cdf, MUL(g, normal_hazard(r, a, y)))
UNARY(normal_icdf, MUL(g, MUL(NUMBER(SQRT_2PI), EXP(half_square(r, y)))))
UNARY(log_i0, MUL(g, OP1(I1_OVER_I0, a)))
/* With r = I1/I0: r' = 1 - r/x - r^2, which is 1/2 at 0. */
UNARY(i1_over_i0, MUL(g, WHERE(IS_ZERO(a), NUMBER(0.5), SUB(SUB(NUMBER(1), DIV(y, a)), SQUARE(y)))))

BINARY(add, g, g)
BINARY(sub, g, NEG(g))
BINARY(mul, MUL(g, b), MUL(g, a))
BINARY(div, DIV(g, b), NEG(DIV(MUL(g, y), b)))
BINARY(mod, g, NEG(MUL(g, OP1(FLOOR, DIV(a, b)))))
BINARY(atan2, MUL(g, DIV(b, ADD(SQUARE(a), SQUARE(b)))), NEG(MUL(g, DIV(a, ADD(SQUARE(a), SQUARE(b))))))
BINARY(min, WHERE(OP2(LE, a, b), g, NUMBER(0)), WHERE(OP2(LE, a, b), NUMBER(0), g))
BINARY(max, WHERE(OP2(GE, a, b), g, NUMBER(0)), WHERE(OP2(GE, a, b), NUMBER(0), g))
BINARY(xlogy, OP2(XLOGY, g, b), SHARE(MUL(g, a), b))
BINARY(xlog1py, OP2(XLOG1PY, g, b), SHARE(MUL(g, a), ADD(NUMBER(1), b)))
BINARY(xdivy, SHARE(g, b), NEG(SHARE(SHARE(MUL(g, a), b), b)))
BINARY(log_add_exp, MUL(g, EXP(SUB(a, finite_log(r, y)))), MUL(g, EXP(SUB(b, finite_log(r, y)))))
BINARY(log_diff_exp, MUL(g, EXP(SUB(a, y))), NEG(MUL(g, EXP(SUB(b, y)))))
BINARY(lbeta, MUL(g, SUB(OP1(DIGAMMA, a), OP1(DIGAMMA, ADD(a, b)))),
       MUL(g, SUB(OP1(DIGAMMA, b), OP1(DIGAMMA, ADD(a, b)))))
BINARY(lgamma_diff, MUL(g, SUB(OP1(DIGAMMA, ADD(a, b)), OP1(DIGAMMA, a))), MUL(g, OP1(DIGAMMA, ADD(a, b))))

void vjp_polygamma(Rule *r) {
    if (r->wants[0]) rule_missing(r, "its order");
    rule_give(r, 1, MUL(r->g, OP2(POLYGAMMA, ADD(r->in[0], NUMBER(1)), r->in[1])));
}

/* b a^(b-1), which is 0 for b = 0 whatever a is. */
static Var pow_by_base(Rule *r, Var a, Var b) {
    bool plain = !var_is_taped(b) && shape_size(b.value->shape) == 1;
    real x = plain ? tensor_item(b.value, 0) : 0;
    if (plain && x == 2) return MUL(b, a);
    Var d = MUL(b, OP2(POW, a, SUB(b, NUMBER(1))));
    return plain && x != 0 ? d : WHERE(IS_ZERO(b), NUMBER(0), d);
}

/* log a, but 0 at 0, where a^b log a tends to 0 for b > 0. */
static Var pow_by_exponent(Rule *r, Var a, Var y) { return MUL(y, OP1(LOG, WHERE(IS_ZERO(a), NUMBER(1), a))); }

BINARY(pow, MUL(g, pow_by_base(r, a, b)), MUL(g, pow_by_exponent(r, a, y)))

/* The density of Gamma(a, 1) at x, and of Beta(a, b). */
static Var gamma_density(Rule *r, Var a, Var x) {
    return EXP(SUB(SUB(OP2(XLOGY, SUB(a, NUMBER(1)), x), x), OP1(LGAMMA, a)));
}

static Var beta_density(Rule *r, Var a, Var b, Var x) {
    Var one = NUMBER(1);
    Var logs = ADD(OP2(XLOGY, SUB(a, one), x), OP2(XLOG1PY, SUB(b, one), NEG(x)));
    return EXP(SUB(logs, OP2(LBETA, a, b)));
}

BINARY(gamma_p, MUL(g, OP2(GAMMA_P_DA, a, b)), MUL(g, gamma_density(r, a, b)))
BINARY(gamma_q, NEG(MUL(g, OP2(GAMMA_P_DA, a, b))), NEG(MUL(g, gamma_density(r, a, b))))

TERNARY(beta_i, MUL(g, OP3(BETA_I_DA, a, b, c)), MUL(g, OP3(BETA_I_DB, a, b, c)), MUL(g, beta_density(r, a, b, c)))

/* Not a product with 0 and 1: what was not chosen may be infinite. The condition is locally constant. */
void vjp_where(Rule *r) {
    if (r->wants[1]) rule_give(r, 1, WHERE(r->in[0], r->g, NUMBER(0)));
    if (r->wants[2]) rule_give(r, 2, WHERE(r->in[0], NUMBER(0), r->g));
}

/* Draws move with their shape parameter along their quantile (implicit reparametrisation). */
UNARY(draw_gamma, MUL(g, OP2(GAMMA_DRAW_GRAD, a, y)))
UNARY(draw_log_gamma, MUL(g, OP2(LOG_GAMMA_DRAW_GRAD, a, y)))
