/* exp, log, ... of SLEEF for loops that the compiler turns into vectors (-fopenmp-simd): within 1 ulp, whatever the
 * argument. libmvec is as fast but off by up to 3 ulp, and some tens of times slower where a lane over- or underflows.
 *
 * A declaration with the assembler's name of the C function lets the compiler find its vector versions (the vector
 * function ABI) without -ffast-math. Included once, after <tgmath.h>, by each file that vectorises. */
#undef exp
#undef log
#undef log1p
#undef expm1
#undef sin
#undef cos
#undef tan
#undef asin
#undef acos
#undef atan
#undef tanh
#undef erf
#undef erfc
#undef pow
#undef atan2

#ifdef REAL_FLOAT
#define VECTOR_SYMBOL(name) #name "f"
#else
#define VECTOR_SYMBOL(name) #name
#endif
#define VECTOR_1(name)                                                                                                 \
    __attribute__((simd("notinbranch"), const)) real vector_##name(real) __asm__(VECTOR_SYMBOL(name));
#define VECTOR_2(name)                                                                                                 \
    __attribute__((simd("notinbranch"), const)) real vector_##name(real, real) __asm__(VECTOR_SYMBOL(name));

VECTOR_1(exp)
VECTOR_1(log)
VECTOR_1(log1p)
VECTOR_1(expm1)
VECTOR_1(sin)
VECTOR_1(cos)
VECTOR_1(tan)
VECTOR_1(asin)
VECTOR_1(acos)
VECTOR_1(atan)
VECTOR_1(tanh)
VECTOR_1(erf)
VECTOR_1(erfc)
VECTOR_2(pow)
VECTOR_2(atan2)

#define exp(x) vector_exp(x)
#define log(x) vector_log(x)
#define log1p(x) vector_log1p(x)
#define expm1(x) vector_expm1(x)
#define sin(x) vector_sin(x)
#define cos(x) vector_cos(x)
#define tan(x) vector_tan(x)
#define asin(x) vector_asin(x)
#define acos(x) vector_acos(x)
#define atan(x) vector_atan(x)
#define tanh(x) vector_tanh(x)
#define erf(x) vector_erf(x)
#define erfc(x) vector_erfc(x)
#define pow(x, y) vector_pow(x, y)
#define atan2(x, y) vector_atan2(x, y)
