/* What the expressions of ops.def use beside <tgmath.h> and special.h, for operands of type NUMBER. Included once by
 * each file that compiles these expressions. */

static inline NUMBER ew_sigmoid(NUMBER a) {
    NUMBER e = exp(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);
}

/* log1p(e) as log(u) with the rounding of u = 1 + e put right: two thirds of an ulp more than log1p, half its time. */
static inline NUMBER ew_softplus(NUMBER a) {
    NUMBER e = exp(-fabs(a)), u = 1 + e;
    return (a > 0 ? a : 0) + (log(u) - ((u - 1) - e) / u);
}

/* Squares are common enough to be worth the test. */
static inline NUMBER ew_pow(NUMBER a, NUMBER b) { return b == 2 ? a * a : pow(a, b); }

static inline NUMBER ew_mod(NUMBER a, NUMBER b) {
    NUMBER r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
