/* floor WORK DATA.f64 POINT.f64: log densities with their gradients as one would write them by hand for one machine:
 * loops that the compiler vectorises, the C library's vector functions, no other work. Constants are computed once.
 * DATA holds the arrays in the order of data.py, each behind its length. Built with -O3 -march=native. */
#include <math.h>

#include "protocol.h"

/* Under these names gcc calls the vector variants of libmvec and merges nothing. */
__attribute__((simd("notinbranch"), const)) double v_exp(double x) __asm__("exp");
__attribute__((simd("notinbranch"), const)) double v_log(double x) __asm__("log");

enum { ARRAYS = 8 };

typedef struct Floor {
    const double *data[ARRAYS]; /* in the order of data.py */
    long n[ARRAYS];
    const double *x; /* the point */
    double *out;     /* value, gradient */
    double *work;
    double constant;
} Floor;

static double log_normal_constant(double n) { return -0.5 * n * log(2 * M_PI); }

/* -- Eight schools: mu, log tau, z -- */

static void schools_prepare(Floor *f) {
    long n = f->n[0];
    double *inverse = f->work;
    f->constant = log_normal_constant(2 * n + 1) - log(5) + log(2 / (M_PI * 5));
    for (long j = 0; j < n; j++) f->constant -= log(f->data[1][j]), inverse[j] = 1 / f->data[1][j];
}

static void schools(void *self) {
    Floor *f = self;
    long n = f->n[0];
    const double *y = f->data[0], *inverse = f->work, *z = f->x + 2;
    double mu = f->x[0], tau = exp(f->x[1]), *g = f->out + 3, sum = 0, dmu = 0, dtau = 0;
#pragma omp simd reduction(+ : sum, dmu, dtau)
    for (long j = 0; j < n; j++) {
        double r = (y[j] - mu - tau * z[j]) * inverse[j], d = r * inverse[j];
        sum += r * r + z[j] * z[j];
        dmu += d;
        dtau += d * z[j];
        g[j] = tau * d - z[j];
    }
    double u = tau * tau / 25;
    f->out[0] = f->constant - 0.5 * (sum + mu * mu / 25) - log1p(u) + f->x[1];
    f->out[1] = dmu - mu / 25;
    f->out[2] = dtau * tau + 1 - 2 * u / (1 + u);
}

/* -- Logistic regression: beta. X by columns -- */

static void logistic_prepare(Floor *f) {
    long n = f->n[1], d = f->n[0] / n;
    double *columns = f->work;
    f->constant = log_normal_constant(d);
    for (long k = 0; k < d; k++)
        for (long i = 0; i < n; i++) columns[k * n + i] = f->data[0][i * d + k];
}

static void logistic(void *self) {
    Floor *f = self;
    long n = f->n[1], d = f->n[0] / n;
    const double *X = f->work, *y = f->data[1], *b = f->x;
    double *eta = f->work + n * d, *r = eta + n, sum = f->constant;
    for (long i = 0; i < n; i++) eta[i] = 0;
    for (long k = 0; k + 4 <= d; k += 4) {
        const double *c = X + k * n;
        for (long i = 0; i < n; i++)
            eta[i] += c[i] * b[k] + c[n + i] * b[k + 1] + c[2 * n + i] * b[k + 2] + c[3 * n + i] * b[k + 3];
    }
    for (long k = d / 4 * 4; k < d; k++)
        for (long i = 0; i < n; i++) eta[i] += X[k * n + i] * b[k];
#pragma omp simd reduction(+ : sum)
    for (long i = 0; i < n; i++) {
        double e = v_exp(-fabs(eta[i])), s = 1 + e, p = (eta[i] >= 0 ? 1 : e) / s;
        sum += y[i] * eta[i] - (eta[i] > 0 ? eta[i] : 0) - v_log(s);
        r[i] = y[i] - p;
    }
    for (long k = 0; k < d; k++) {
        double dot = 0;
#pragma omp simd reduction(+ : dot)
        for (long i = 0; i < n; i++) dot += X[k * n + i] * r[i];
        f->out[1 + k] = dot - b[k];
        sum -= 0.5 * b[k] * b[k];
    }
    f->out[0] = sum;
}

/* -- Varying intercepts: a, b, log sigma_a, log sigma_y, z -- */

static void varying_prepare(Floor *f) {
    long n = f->n[2], J = (long)f->data[3][0];
    int *county = (int *)f->work;
    for (long i = 0; i < n; i++) county[i] = (int)f->data[0][i] - 1;
    f->constant = log_normal_constant(n + J + 4) - 2 * log(10) + 2 * log(2);
}

static void varying(void *self) {
    Floor *f = self;
    long n = f->n[2], J = (long)f->data[3][0];
    const int *county = (const int *)f->work;
    const double *basement = f->data[1], *y = f->data[2], *z = f->x + 4;
    double a = f->x[0], b = f->x[1], sa = exp(f->x[2]), sy = exp(f->x[3]), precision = 1 / (sy * sy);
    double *g = f->out + 5, *level = f->work + n, ss = 0, da = 0, db = 0, dsa = 0, zz = 0;
    for (long j = 0; j < J; j++) level[j] = a + sa * z[j], g[j] = 0, zz += z[j] * z[j];
    for (long i = 0; i < n; i++) {
        double r = y[i] - level[county[i]] - b * basement[i];
        ss += r * r;
        db += r * basement[i];
        g[county[i]] += r;
    }
    for (long j = 0; j < J; j++) {
        da += g[j];
        dsa += g[j] * z[j];
        g[j] = sa * precision * g[j] - z[j];
    }
    f->out[0] = f->constant - n * f->x[3] - 0.5 * (ss * precision + zz + sa * sa + sy * sy + a * a / 100 + b * b / 100) +
                f->x[2] + f->x[3];
    f->out[1] = da * precision - a / 100;
    f->out[2] = db * precision - b / 100;
    f->out[3] = dsa * precision * sa - sa * sa + 1;
    f->out[4] = ss * precision - n - sy * sy + 1;
}

/* -- Random walk: x -- */

static void walk_prepare(Floor *f) { f->constant = log_normal_constant(2 * f->n[0]); }

static void walk(void *self) {
    Floor *f = self;
    long n = f->n[0];
    const double *x = f->x, *y = f->data[0];
    double *g = f->out + 1, sum = x[0] * x[0], last = x[0];
    for (long t = 0; t + 1 < n; t++) {
        double step = x[t + 1] - x[t], r = y[t] - x[t];
        sum += step * step + r * r;
        g[t] = r + step - last;
        last = step;
    }
    double r = y[n - 1] - x[n - 1];
    g[n - 1] = r - last;
    f->out[0] = f->constant - 0.5 * (sum + r * r);
}

/* -- Two normals: mu1, log(mu2 - mu1), log sigma, logit theta -- */

static void gauss_mix_prepare(Floor *f) {
    f->constant = log_normal_constant(f->n[0] + 4) - 4 * log(2) + 2 * log(2) - (2 * lgamma(5) - lgamma(10));
}

static void gauss_mix(void *self) {
    Floor *f = self;
    long n = f->n[0];
    const double *y = f->data[0];
    double gap = exp(f->x[1]), m1 = f->x[0], m2 = m1 + gap, s1 = exp(f->x[2]), s2 = exp(f->x[3]);
    double t = 1 / (1 + exp(-f->x[4])), i1 = 1 / s1, i2 = 1 / s2;
    double c1 = log(t) - f->x[2], c2 = log1p(-t) - f->x[3];
    double sum = 0, p1 = 0, d1 = 0, d2 = 0, q1 = 0, q2 = 0;
#pragma omp simd reduction(+ : sum, p1, d1, d2, q1, q2)
    for (long i = 0; i < n; i++) {
        double u1 = (y[i] - m1) * i1, u2 = (y[i] - m2) * i2;
        double a = c1 - 0.5 * u1 * u1, b = c2 - 0.5 * u2 * u2;
        double d = a - b, e = v_exp(-fabs(d)), s = 1 + e, small = e / s, w = 0.5 + copysign(0.5 - small, d);
        sum += 0.5 * (a + b + fabs(d)) + v_log(s);
        p1 += w;
        d1 += w * u1;
        d2 += (1 - w) * u2;
        q1 += w * (u1 * u1 - 1);
        q2 += (1 - w) * (u2 * u2 - 1);
    }
    double dm1 = d1 * i1 - m1 / 4, dm2 = d2 * i2 - m2 / 4;
    f->out[0] = f->constant + sum - (m1 * m1 + m2 * m2 + s1 * s1 + s2 * s2) / 8 + 4 * (log(t) + log1p(-t)) + f->x[1] +
                f->x[2] + f->x[3] + log(t) + log1p(-t);
    f->out[1] = dm1 + dm2;
    f->out[2] = dm2 * gap + 1;
    f->out[3] = q1 - s1 * s1 / 4 + 1;
    f->out[4] = q2 - s2 * s2 / 4 + 1;
    f->out[5] = p1 - n * t + 5 * (1 - 2 * t);
}

/* -- Autoregression: alpha, beta, log sigma -- */

static void ark_prepare(Floor *f) {
    long K = (long)f->data[0][0], n = f->n[1] - K;
    f->constant = log_normal_constant(n + K + 1) - (K + 1) * log(10) + log(2 / (M_PI * 2.5));
}

static void ark(void *self) {
    Floor *f = self;
    long K = (long)f->data[0][0], n = f->n[1] - K;
    const double *y = f->data[1] + K;
    double alpha = f->x[0], s = exp(f->x[1 + K]), precision = 1 / (s * s), *r = f->work, ss = 0, d = 0;
    for (long t = 0; t < n; t++) r[t] = y[t] - alpha;
    for (long k = 0; k < K; k++)
        for (long t = 0; t < n; t++) r[t] -= f->x[1 + k] * y[t - 1 - k];
#pragma omp simd reduction(+ : ss, d)
    for (long t = 0; t < n; t++) ss += r[t] * r[t], d += r[t];
    double squares = alpha * alpha, u = s * s / 6.25;
    for (long k = 0; k < K; k++) {
        double dot = 0, b = f->x[1 + k];
#pragma omp simd reduction(+ : dot)
        for (long t = 0; t < n; t++) dot += r[t] * y[t - 1 - k];
        f->out[2 + k] = dot * precision - b / 100;
        squares += b * b;
    }
    f->out[0] = f->constant - n * f->x[1 + K] - 0.5 * ss * precision - squares / 200 - log1p(u) + f->x[1 + K];
    f->out[1] = d * precision - alpha / 100;
    f->out[2 + K] = ss * precision - n + 1 - 2 * u / (1 + u);
}

/* -- GARCH(1, 1): mu, log alpha0, logit alpha1, logit share. Derivatives of the variance run forward with it -- */

static void garch_prepare(Floor *f) { f->constant = log_normal_constant(f->n[0] + 2) - 2 * log(10) + log(2); }

static double unit(double u, double *log_jacobian) {
    double p = 1 / (1 + exp(-u));
    *log_jacobian += log(p) + log1p(-p);
    return p;
}

static void garch(void *self) {
    Floor *f = self;
    long n = f->n[0];
    const double *y = f->data[0];
    double jacobian = f->x[1], mu = f->x[0], a0 = exp(f->x[1]), a1 = unit(f->x[2], &jacobian);
    double share = unit(f->x[3], &jacobian), b1 = share * (1 - a1);
    double v = f->data[1][0] * f->data[1][0], vm = 0, v0 = 0, v1 = 0, vb = 0; /* the variance and its derivatives */
    double logs = 0, quad = 0, gm = 0, g0 = 0, g1 = 0, gb = 0, product = 1;
    for (long t = 0; t < n; t++) {
        double r = y[t] - mu, i = 1 / v, q = r * r * i, c = 0.5 * i * (q - 1);
        product *= v; /* one logarithm for many factors */
        if ((t & 15) == 15) logs += log(product), product = 1;
        quad += q;
        gm += r * i + c * vm;
        g0 += c * v0;
        g1 += c * v1;
        gb += c * vb;
        vm = -2 * a1 * r + b1 * vm;
        v0 = 1 + b1 * v0;
        v1 = r * r + b1 * v1;
        vb = v + b1 * vb;
        v = a0 + a1 * r * r + b1 * v;
    }
    logs += log(product);
    f->out[0] = f->constant - 0.5 * (logs + quad) - mu * mu / 200 - a0 * a0 / 200 + jacobian;
    f->out[1] = gm - mu / 100;
    f->out[2] = (g0 - a0 / 100) * a0 + 1;
    f->out[3] = (g1 - share * gb) * a1 * (1 - a1) + 1 - 2 * a1;
    f->out[4] = gb * (1 - a1) * share * (1 - share) + 1 - 2 * share;
}

/* -- Gaussian process: log rho, log alpha, log sigma. The kernel is computed below the diagonal; rows of matrices are
 * padded to whole groups of lanes -- */

enum { LANES = 8 };

/* y += w x from x[from] on; before that within the group, too. */
static inline void add_rows(long from, long to, double w, const double *x, double *y) {
    for (long i = from / LANES * LANES; i < to; i += LANES)
#pragma omp simd
        for (long l = i; l < i + LANES; l++) y[l] += w * x[l];
}

static void gp_prepare(Floor *f) {
    long n = f->n[0], padded = (n + LANES - 1) / LANES * LANES;
    const double *x = f->data[0];
    free(f->work);
    f->work = aligned_alloc(64, sizeof(double) * (size_t)(4 * padded * padded + 4 * padded));
    if (!f->work) exit(2);
    memset(f->work, 0, sizeof(double) * (size_t)(4 * padded * padded + 4 * padded));
    f->constant = log_normal_constant(n + 2) + log(2) + 25 * log(4) - lgamma(25);
    for (long i = 0, at = 0; i < n; i++)
        for (long j = 0; j <= i; j++) f->work[at++] = (x[i] - x[j]) * (x[i] - x[j]);
}

/* Rows of U with U^T D^-1 U = the covariance, D the diagonal of U; gives half the log determinant. */
static double gp_factor(long n, long ld, double *U, double *inverse) {
    double product = 1;
    for (long j = 0; j < n; j++) {
        product *= U[j * ld + j];
        inverse[j] = 1 / U[j * ld + j];
        for (long k = j + 1; k < n; k++) add_rows(k, ld, -U[j * ld + k] * inverse[j], U + j * ld, U + k * ld);
    }
    return 0.5 * log(product);
}

static void gp(void *self) {
    Floor *f = self;
    long n = f->n[0], size = n * (n + 1) / 2, ld = (n + LANES - 1) / LANES * LANES;
    double rho = exp(f->x[0]), alpha = exp(f->x[1]), sigma = exp(f->x[2]), scale = -0.5 / (rho * rho);
    double a2 = alpha * alpha, quad = 0, trace = 0, dalpha = 0, drho = 0;
    const double *square = f->work, *y = f->data[1];
    double *k = f->work + ld * ld, *U = k + ld * ld, *M = U + ld * ld;
    double *z = M + ld * ld, *w = z + ld, *inverse = w + ld, *row = inverse + ld;
    for (long i = 0; i < size; i++) k[i] = a2 * v_exp(scale * square[i]);
    for (long i = 0, at = 0; i < n; i++)
        for (long j = 0; j <= i; j++) U[j * ld + i] = k[at++];
    for (long i = 0; i < n; i++) U[i * ld + i] += sigma;
    double logs = gp_factor(n, ld, U, inverse);
    memset(M, 0, sizeof(double) * (size_t)(n * ld));
    memset(w, 0, sizeof(double) * (size_t)ld);
    for (long i = 0; i < n; i++) { /* M = U^-T D, z = M y, w = M^T D^-1 z */
        double *m = M + i * ld;
        m[i] = 1, z[i] = y[i];
        for (long q = 0; q < i; q++) {
            double l = U[q * ld + i] * inverse[q];
            add_rows(0, q + 1, -l, M + q * ld, m);
            z[i] -= l * z[q];
        }
        quad += z[i] * z[i] * inverse[i];
        add_rows(0, i + 1, z[i] * inverse[i], m, w);
    }
    for (long i = 0, at = 0; i < n; i++) { /* a row of the covariance's inverse up to its diagonal */
        double da = 0, dr = 0;
        memset(row, 0, sizeof(double) * (size_t)ld);
        for (long q = i; q < n; q++) add_rows(0, i + 1, M[q * ld + i] * inverse[q], M + q * ld, row);
#pragma omp simd reduction(+ : da, dr)
        for (long j = 0; j < i; j++) {
            double g = (w[i] * w[j] - row[j]) * k[at + j];
            da += g;
            dr += g * square[at + j];
        }
        at += i + 1;
        double g = w[i] * w[i] - row[i];
        dalpha += da + 0.5 * g * a2;
        drho += dr;
        trace += g;
    }
    f->out[0] = f->constant + 25 * f->x[0] - 4 * rho - a2 / 8 - sigma * sigma / 2 - 0.5 * quad - logs;
    f->out[0] += f->x[1] + f->x[2];
    f->out[1] = 25 - 4 * rho + drho / (rho * rho);
    f->out[2] = 1 - a2 / 4 + 2 * dalpha;
    f->out[3] = 1 - sigma * sigma + 0.5 * trace * sigma;
}

static const struct {
    const char *name;
    void (*prepare)(Floor *f);
    void (*call)(void *self);
} works[] = {
    {"schools", schools_prepare, schools}, {"logistic", logistic_prepare, logistic},
    {"varying", varying_prepare, varying}, {"walk", walk_prepare, walk},
    {"gauss_mix", gauss_mix_prepare, gauss_mix}, {"ark", ark_prepare, ark},
    {"garch", garch_prepare, garch},         {"gp", gp_prepare, gp},
};

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    Floor f = {0};
    long total, n;
    double *data = protocol_read(argv[2], &total), *point = protocol_read(argv[3], &n);
    long at = 0;
    for (int k = 0; k < ARRAYS && at < total; k++) {
        f.n[k] = (long)data[at];
        f.data[k] = data + at + 1;
        at += 1 + f.n[k];
    }
    f.x = point;
    f.out = calloc((size_t)n + 1, sizeof(double));
    f.work = calloc((size_t)(3 * total + 64), sizeof(double));
    for (size_t k = 0; f.out && f.work && k < sizeof works / sizeof *works; k++) {
        if (strcmp(works[k].name, argv[1]) != 0) continue;
        works[k].prepare(&f);
        Timed timed = {works[k].call, &f, f.out, n + 1};
        protocol_serve(&timed);
        return 0;
    }
    return 2;
}
