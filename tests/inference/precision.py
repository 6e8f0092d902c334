#!/usr/bin/env python3
"""Single precision: the same programs in both precisions agree; in single precision too the tape is the tree.

Random numbers belong to addresses, so both runs see the same noise, rounded: means may differ by a small part of the
posterior's sd, not by a Monte Carlo error. (The program is $PPL, or ./ppl at the top.)
"""
import json, os, subprocess, tempfile

from programs import PPL, check, finish, flat

# name: (program, part of the sd by which means may differ, difference of ELBOs)
FITS = {
    'conjugate normal': ('''
data y = [2.1, 1.3, 3.2, 2.8, 1.9]
model m { mu ~ Normal(0, 10)
    plate i in 1..len(y) { y[i] ~ Normal(mu, 1) } }
fit = infer(m)''', 0.01, 0.001),
    'coin': ('''
data y = [1, 0, 1, 1, 0, 1, 1, 1]
model m { p ~ Beta(2, 2)
    plate i in 1..len(y) { y[i] ~ Bernoulli(p) } }
fit = infer(m)''', 0.05, 0.01),
    'counts': ('''
data y = [3, 7, 4, 5, 2, 6]
model m { rate ~ Gamma(2, 0.5)
    plate i in 1..len(y) { y[i] ~ Poisson(rate) } }
fit = infer(m, guide = auto_normal(), steps = 500)''', 0.02, 0.002),
    'regression': ('''
data x = [0.1, 0.5, 0.9, 1.4, 2.2, 2.9, 3.1, 4.0]
data y = [1.2, 1.9, 3.1, 3.8, 5.7, 6.6, 7.2, 9.1]
model m { a ~ Normal(0, 10); b ~ Normal(0, 10); s ~ HalfNormal(1)
    plate i in 1..len(y) { y[i] ~ Normal(a + b * x[i], s) } }
fit = infer(m, guide = auto_mvn())''', 0.1, 0.02),
    'eight schools': ('''
data y = [28, 8, -3, 7, -1, 1, 18, 12]
data sigma = [15, 10, 16, 11, 9, 11, 10, 18]
model m { mu ~ Normal(0, 5); tau ~ HalfCauchy(5)
    plate j in 1..8 { theta[j] ~ Normal(mu, tau); y[j] ~ Normal(theta[j], sigma[j]) } }
fit = infer(m, steps = 1000)''', 0.05, 0.02),
    'mixture, summed out': ('''
data y = [-2.1, -1.8, 3.2, 2.9, 3.1, -2.4, 2.7]
model m { mu ~ Normal([-1, 1], 3); w ~ Dirichlet([1, 1])
    plate i in 1..len(y) { k[i] ~ Categorical(w); y[i] ~ Normal(mu[k[i]], 0.5) } }
fit = infer(m, steps = 600)''', 0.05, 0.02),
    'hidden Markov chain, exact': ('''
data y = [0.2, 1.1, 0.9, -0.1, 1.3, 0.1]
model m {
    z[1] ~ Categorical([0.5, 0.5]); y[1] ~ Normal(z[1] - 1, 0.5)
    for t in 2..6 { z[t] ~ Categorical([[0.9, 0.1], [0.2, 0.8]][z[t-1]]); y[t] ~ Normal(z[t] - 1, 0.5) } }
fit = infer(m)''', None, 1e-5),
    'maximum': ('''
data y = [1.5, 2.5, 3.5, 2.0]
model m { mu ~ Normal(0, 10); s ~ HalfNormal(2)
    plate i in 1..4 { y[i] ~ Normal(mu, s) } }
fit = infer(m, method = map())''', None, None),
    'laplace': ('''
data y = [1.5, 2.5, 3.5, 2.0]
model m { mu ~ Normal(0, 10); s ~ HalfNormal(2)
    plate i in 1..4 { y[i] ~ Normal(mu, s) } }
fit = infer(m, method = laplace())''', 0.02, 0.01),
    'importance': ('''
data y = [1.5, 2.5, 3.5, 2.0]
model m { mu ~ Normal(0, 3)
    plate i in 1..4 { y[i] ~ Normal(mu, 1) } }
fit = infer(m, method = importance(5000))''', 0.02, 0.001),
    'hand-written guide with parameters': ('''
data y = [0.5, 1.5, 1.0]
model m { mu ~ Normal(0, 2)
    plate i in 1..3 { y[i] ~ Normal(mu, 1) } }
guide q for m { param a: real = 0; param b: positive = 1
    mu ~ Normal(a, b) }
fit = infer(m, q, steps = 800, optimizer = adam(0.02))''', 0.02, 0.002),
    'covariance matrix': ('''
data y = [[1.0, 0.8], [-0.5, -0.9], [0.3, 0.1], [1.2, 1.5], [-1.4, -0.8]]
model m { L ~ LKJCholesky(2, 2); s ~ HalfNormal(1)[2]
    plate i in 1..5 { y[i] ~ MultivariateNormal([0, 0], cholesky = reshape(s, [2, 1]) * L) } }
fit = infer(m, steps = 600)''', 0.05, 0.02),
    'Gaussian process': ('''
data x = [0.0, 0.4, 1.0, 1.7, 2.1, 3.0]
data y = [0.1, 0.5, 0.9, 0.8, 0.6, -0.2]
model m { scale ~ LogNormal(0, 0.5); noise ~ HalfNormal(0.3)
    d = reshape(x, [6, 1]) - reshape(x, [1, 6])
    K = exp(-0.5 * (d / scale) ^ 2) + noise ^ 2 * eye(6)
    y ~ MultivariateNormal(zeros(6), K) }
fit = infer(m, steps = 600)''', 0.05, 0.02),
    'score function': ('''
data y = [3, 4, 2]
model m { k ~ Poisson(3)
    plate i in 1..3 { y[i] ~ Normal(k, 1) } }
guide q for m { param r: positive = 2
    k ~ Poisson(r) }
fit = infer(m, q, steps = 300, optimizer = adam(0.01))''', 0.05, 0.02),
}

# Programs whose prints are compared number by number, to `within` (relative, or absolute below 1).
PRINTS = {
    'linear algebra': ('''
a = [[4, 1, 0.5], [1, 3, 0.2], [0.5, 0.2, 2]]
l = cholesky(a)
print(l, l @ transpose(l), solve(a, [1, 2, 3]), inverse(a) @ a, log_det(a))''', 2e-6),
    'sums of many terms': ('''
x = linspace(0, 1, 200000)
print(sum(x), mean(x), sum(square(x)), logsumexp(x), cumsum(x)[200000], sd(x))''', 2e-7),
    'special functions': ('''
print(lgamma(0.3), digamma(7.2), erf([0.2, 1]), normal_cdf(-8), log_normal_cdf(-30), log1p(1e-7), expm1(1e-7), lgamma(100))
print(cdf(Gamma(2, 3), 0.7), logpdf(Beta(0.5, 3), 0.01), quantile([3, 1, 2], 0.3))''', 2e-6),
    'whole numbers stay exact': ('''
n = 123456789
print(n % 10, n * 1000 + 1, 2 ^ 53 - 1, n == 123456789, 0.1 == [0.1][1])''', 0),
}

EDGE = '''
y = draw(Beta(0.1, 0.1)[20000])
print(sum(where((y < 1) and is_nan(logpdf(Beta(2, 0.7), y)), 1, 0)), max(y) < 1)
u = draw(Uniform(0, 1)[100000])
print(min(u) > 0, max(u) < 1)
t = draw(Truncated(Normal(0, 1), low = 9)[100])
print(min(t) >= 9, max(t) < 10)'''


def run(text, *args, **env):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'p.ppl')
        with open(path, 'w') as f:
            f.write(text)
        done = subprocess.run([PPL, 'run', '--json', *args, path], text=True, capture_output=True, timeout=300,
                              env={**os.environ, **env})
    lines = [json.loads(l) for l in done.stdout.splitlines() if l.strip()]
    return [l['fit'] for l in lines if 'fit' in l], [l['print'] for l in lines if 'print' in l], done.stderr.strip()


def numbers(prints):
    words = ' '.join(prints).replace('[', ' ').replace(']', ' ').replace(',', ' ').split()
    return [float(w) if w not in ('true', 'false') else w for w in words]


def compare_fits(name, single, double, part, within):
    if within is not None:
        a, b = single['elbo'], double['elbo']
        check(f'{name}: ELBO', a is not None and abs(a - b) <= within + 1e-6 * abs(b), f'{a} and {b}')
    check(f'{name}: variables', set(single['variables']) == set(double['variables']), sorted(single['variables']))
    for v, want in double['variables'].items():
        have = single['variables'][v]
        sds = flat(want['sd']) if want.get('sd') is not None else []
        for k, (a, b) in enumerate(zip(flat(have.get('probabilities') or have['mean']), flat(want.get('probabilities') or want['mean']))):
            sd = sds[k] if sds and sds[k] is not None else None
            room = part * sd + 1e-5 if part and sd is not None else 1e-4 * max(1, abs(b))
            check(f'{name}: {v}', abs(a - b) <= room, f'mean {a} and {b}')
            if part and sd is not None:
                s = flat(have['sd'])[k]
                check(f'{name}: sd of {v}', abs(s - sd) <= part * sd + 1e-5, f'{s} and {sd}')


def without_time(fits):
    return [{k: v for k, v in f.items() if k != 'seconds'} for f in fits]


for name, (text, part, within) in FITS.items():
    single, _, why = run(text, '--precision', 'single')
    double, _, _ = run(text, '--precision', 'double')
    check(f'{name}: runs', len(single) == len(double) == 1, why)
    if len(single) != 1 or len(double) != 1:
        continue
    compare_fits(name, single[0], double[0], part, within)
    check(f'{name}: is single', name == 'hidden Markov chain, exact' or without_time(single) != without_time(double),
          'every digit is that of double precision')
    walked, _, _ = run(text, '--precision', 'single', PPL_WALK='1')
    check(f'{name}: the tape is the tree', without_time(walked) == without_time(single))
    threads, _, _ = run(text, '--precision', 'single', '--threads', '3')
    check(f'{name}: threads', without_time(threads) == without_time(single))

for name, (text, within) in PRINTS.items():
    _, single, why = run(text, '--precision', 'single')
    _, double, _ = run(text)
    a, b = numbers(single), numbers(double)
    check(f'{name}: runs', len(a) == len(b) > 0, why)
    for x, y in zip(a, b):
        same = x == y or (not isinstance(x, str) and abs(x - y) <= within * max(1, abs(y)))
        check(name, same, f'{x} and {y}')

_, prints, why = run(EDGE, '--precision', 'single')
check('draws stay inside the support', prints == ['0 true', 'true true', 'true true'], f'{prints} {why}')

finish()
