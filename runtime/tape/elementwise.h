/* What the expressions of ops.def use beside <tgmath.h>, vector_math.h and special.h, for operands of type NUMBER.
 *
 * Loops over these become vectors: both sides of a choice are computed, and what does not apply may be NaN. */

#ifdef REAL_FLOAT
/* SLEEF's log1p is infinite at the end of the range. */
static inline NUMBER ew_log1p(NUMBER a) {
    const NUMBER huge = sizeof a == sizeof(double) ? (NUMBER)0x1p1000 : (NUMBER)0x1p100;
    const bool far = a > huge;
    const NUMBER r = log1p(far ? a * (NUMBER)0x1p-32 : a);
    return r + (far ? (NUMBER)22.18070977791824990104 : 0); /* 32 log 2 */
}
#else
/* As in fdlibm (Sun, 1993), within 1 ulp: 1 + a = 2^k (1 + f) with 1 + f between the square roots of 1/2 and 2; f is a
 * itself where k = 0, elsewhere what 1 + a lost in rounding is added to the logarithm. Less than half of the time of SLEEF's. */
static inline double ew_log1p(double a) {
    const double u = 1 + a, lost = a >= 1 ? 1 - (u - a) : a - (u - 1);
    const int64_t one = 0x3ff0000000000000, root = 0x3fe6a09e00000000, mantissa = 0x000fffffffffffff;
    int64_t bits;
    memcpy(&bits, &u, sizeof bits);
    bits += one - root;
    const int64_t m_bits = (bits & mantissa) + root, k_bits = (bits >> 52) + 0x4330000000000000; /* 2^52 + exponent */
    double m, k;
    memcpy(&m, &m_bits, sizeof m);
    memcpy(&k, &k_bits, sizeof k);
    k -= 0x1p52 + 1023;
    const bool near = k == 0;
    const double f = near ? a : m - 1, c = near ? 0 : lost / u;
    const double s = f / (2 + f), z = s * s, w = z * z, half_square = 0.5 * f * f;
    const double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const double odd = z * (6.666666666666735130e-01 +
                            w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const double low = k * 1.90821492927058770002e-10 + c; /* beside the high part of k log 2 */
    const double r = k * 6.93147180369123816490e-01 - ((half_square - (s * (half_square + (even + odd)) + low)) - f);
    const double inside = a == -1 ? -INFINITY : a < -1 ? NAN : r;
    return (a == 0) | !(u < INFINITY) ? a : inside;
}
#endif

/* SLEEF takes another way for all lanes as soon as one of them is beyond these, and the ways differ in the last bit: each
 * lane takes its own. */
#ifdef REAL_FLOAT
#define TRIG_NEAR 125
#define TRIG_FAR 39000
#else
#define TRIG_NEAR 15
#define TRIG_FAR 1e14
#endif
#define TRIGONOMETRIC(name)                                                                                            \
    static inline NUMBER ew_##name(NUMBER a) {                                                                         \
        const NUMBER size = fabs(a);                                                                                   \
        const bool near = size < (NUMBER)TRIG_NEAR, middle = !near & (size < (NUMBER)TRIG_FAR), far = !near & !middle; \
        const NUMBER r = name(near ? a : 0), s = name(middle ? a : 2 * (NUMBER)TRIG_NEAR), t = name(far ? a : 0);      \
        return near ? r : middle ? s : t;                                                                              \
    }
TRIGONOMETRIC(sin)
TRIGONOMETRIC(cos)
TRIGONOMETRIC(tan)

/* log1p(e) for 0 <= e <= 1, half the price of a general one: log(1 + f) of s = f / (2 + f) as in fdlibm (Sun, 1993),
 * with f = e, or (e - 1) / 2 beside log 2. Within 1 ulp. */
static inline NUMBER ew_log1p_part(NUMBER e) {
#define K(x) ((NUMBER)(x))
    const bool upper = e > K(0.4142135623730950);
    const NUMBER f = upper ? (e - 1) * K(0.5) : e, s = f / (2 + f), z = s * s, half_square = K(0.5) * f * f;
    const NUMBER high = upper ? K(6.93147180369123816490e-01) : 0, low = upper ? K(1.90821492927058770002e-10) : 0;
    NUMBER r = K(1.479819860511658591e-01);
    r = K(1.531383769920937332e-01) + z * r;
    r = K(1.818357216161805012e-01) + z * r;
    r = K(2.222219843214978396e-01) + z * r;
    r = K(2.857142874366239149e-01) + z * r;
    r = K(3.999999999940941908e-01) + z * r;
    r = z * (K(6.666666666666735130e-01) + z * r);
    return high - ((half_square - (s * (half_square + r) + low)) - f);
#undef K
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

static inline NUMBER ew_xdivy(NUMBER a, NUMBER b) {
    const NUMBER q = a / b;
    return (a == 0) & (b == b) ? 0 : q;
}

static inline NUMBER ew_log_add_exp(NUMBER a, NUMBER b) {
    const bool first = (a > b) | (a != a);
    const NUMBER high = first ? a : b, low = first ? b : a;
    const NUMBER sum = high + ew_log1p_part(exp(low - high));
    return fabs(high) == (NUMBER)INFINITY ? high : sum;
}

/* Maechler, "Accurately computing log(1 - exp(-|a|))" (2012). */
static inline NUMBER ew_log1m_exp(NUMBER a) {
    const NUMBER near = log(-expm1(a)), far = ew_log1p(-exp(a));
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
