/* What the expressions of ops.def use beside <tgmath.h>, vector_math.h and special.h, for operands of type NUMBER.
 *
 * Loops over these become vectors: both sides of a choice are computed, and what does not apply may be NaN. */

/* SLEEF's log1p is infinite at the end of the range. */
static inline NUMBER ew_log1p(NUMBER a) {
    const NUMBER huge = sizeof a == sizeof(double) ? (NUMBER)0x1p1000 : (NUMBER)0x1p100;
    const bool far = a > huge;
    const NUMBER r = log1p(far ? a * (NUMBER)0x1p-32 : a);
    return r + (far ? (NUMBER)22.18070977791824990104 : 0); /* 32 log 2 */
}

/* log1p(e) for 0 <= e <= 1 as log(u) with the rounding of u = 1 + e put right: two thirds of an ulp more than log1p, half
 * its time. */
static inline NUMBER ew_log1p_part(NUMBER e) {
    const NUMBER u = 1 + e;
    return log(u) - ((u - 1) - e) / u;
}

static inline NUMBER ew_sigmoid(NUMBER a) {
    const NUMBER e = exp(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);
}

static inline NUMBER ew_softplus(NUMBER a) { return (a > 0 ? a : 0) + ew_log1p_part(exp(-fabs(a))); }

/* Squares are common, and the same bits as SQUARE. */
static inline NUMBER ew_pow(NUMBER a, NUMBER b) {
    const NUMBER p = pow(a, b);
    return b == 2 ? a * a : p;
}

static inline NUMBER ew_xlogy(NUMBER a, NUMBER b) {
    const NUMBER p = a * log(b);
    return (a == 0) & (b == b) ? 0 : p;
}

static inline NUMBER ew_xlog1py(NUMBER a, NUMBER b) {
    const NUMBER p = a * ew_log1p(b);
    return (a == 0) & (b == b) ? 0 : p;
}

static inline NUMBER ew_log_add_exp(NUMBER a, NUMBER b) {
    const bool first = (a > b) | (a != a);
    const NUMBER high = first ? a : b, low = first ? b : a;
    const NUMBER sum = high + ew_log1p_part(exp(low - high));
    return fabs(high) == (NUMBER)INFINITY ? high : sum;
}

/* Maechler, "Accurately computing log(1 - exp(-|a|))" (2012). */
static inline NUMBER ew_log1m_exp(NUMBER a) {
    const NUMBER near = log(-expm1(a)), far = log1p(-exp(a));
    return a > (NUMBER)-M_LN2 ? near : far;
}

static inline NUMBER ew_log_diff_exp(NUMBER a, NUMBER b) {
    const NUMBER difference = a + ew_log1m_exp(b - a);
    return (a == b) & (a == (NUMBER)-INFINITY) ? a : difference;
}

static inline NUMBER ew_mod(NUMBER a, NUMBER b) {
    NUMBER r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
