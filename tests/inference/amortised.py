#!/usr/bin/env python3
"""Amortised inference against answers that are known: linear and Gaussian models (evidence and posterior in closed form), and
nets with one latent number (quadrature here)."""
import math

from answers import log_sum
from programs import answer, check, finish, near

SCHEDULE = 'optimizer = adam(0.02, schedule = cosine(0.01))'


def normal(x, m, v):
    return -0.5 * (x - m) ** 2 / v - 0.5 * math.log(2 * math.pi * v)


def log_marginal(log_lik, width=0.005):
    """log of the integral of exp(log_lik(z)) N(z; 0, 1)."""
    grid = [width * k for k in range(int(-8 / width), int(8 / width) + 1)]
    return log_sum([log_lik(z) + normal(z, 0, 1) for z in grid]) + math.log(width)


def per_element():
    """A parameter per element; the same evidence whoever holds it. The amortised guide is no better than one without a net,
    no ELBO exceeds the evidence."""
    out = answer('normal mean', '''data x = [1, 2, 3]
model m { mu ~ Normal(0, 1); plate i in 1..3 { x[i] ~ Normal(mu, 1) } }
guide q for m {
    param l = 0
    param s: positive = 1
    mu ~ Normal(l, s)
}
fit = infer(m, q, steps = 800, ''' + SCHEDULE + ''')
write("out.json", {l: fit.params.q.l, s: fit.params.q.s, elbo: fit.elbo})
''')
    if out:
        near('normal mean: loc', out['l'], 1.5, 1e-3), near('normal mean: scale', out['s'], 0.5, 1e-3)
        near('normal mean: ELBO', out['elbo'], -5.9499627802, 1e-5)
    out = answer('amortised or not', '''x = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
model m(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1); x[i] ~ Bernoulli(logits = 3 * z[i] + [0, 1, -1]) } }
guide one(x) for m { plate i in 1..nrow(x) { z[i] ~ Normal(dense(x[i], 1)[1], exp(dense(sum(x[i]), 1)[1])) } }
guide many(x) for m {
    plate i in 1..nrow(x) {
        param l = 0
        param s: positive = 1
        z[i] ~ Normal(l, s)
    }
}
a = infer(m(x), one(x), steps = 1500, method = svi(ELBO(particles = 16)), ''' + SCHEDULE + ''')
b = infer(m(x), many(x), steps = 1500, method = svi(ELBO(particles = 16)), ''' + SCHEDULE + ''')
write("out.json", {one: elbo(a, m(x), one(x), samples = 4000), many: elbo(b, m(x), many(x), samples = 4000),
                   evidence: log_evidence(b, m(x), many(x), samples = 20000)})
''')
    if out:
        for k in range(4):
            signs = [(1 if k > j else -1, b) for j, b in enumerate([0, 1, -1])]
            exact = log_marginal(lambda z: -sum(math.log1p(math.exp(-sign * (3 * z + b))) for sign, b in signs))
            check(f'amortised or not: {k}', out['one'][k] - 0.02 < out['many'][k] < exact + 0.005, f'{out} {exact}')
            near(f'amortised or not: evidence {k}', out['evidence'][k], exact, 0.01)
        check('amortised or not: sums', sum(out['one']) < sum(out['many']) + 0.01, f'{out}')


def inference_network():
    """z ~ N(0, 1), x | z ~ N(z, 1): a linear net finds N(x/2, 1/2) from some x and gives it for others; there the ELBO is the
    evidence. From two points it is found as well: it is the net that is learned."""
    for n in (300, 2):
        out = answer(f'inference network, {n}', f'''x = draw(Normal(0, sqrt(2))[{n}])
new = [-4, 0.3, 1, 10]
model m(x) {{ plate i in 1..len(x) {{ z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) }} }}
guide q(x) for m {{
    param s: positive = 1
    plate i in 1..len(x) {{ z[i] ~ Normal(dense(x[i], 1)[1], s) }}
}}
fit = infer(m(x), q(x), steps = 2500, ''' + SCHEDULE + ''')
draws = posterior(fit, q(new), 20000).z
write("out.json", {mean: mean(draws, dim = 1), sd: sd(draws, dim = 1), elbo: elbo(fit, m(new), q(new), samples = 100),
                   evidence: logpdf(Normal(0, sqrt(2)), new)})
''')
        for k, x in enumerate([-4, 0.3, 1, 10] if out else []):
            near(f'inference network, {n}: mean at {x}', out['mean'][k], x / 2, 0.04)
            near(f'inference network, {n}: sd at {x}', out['sd'][k], math.sqrt(0.5), 0.02)
            near(f'inference network, {n}: ELBO at {x}', out['elbo'][k], out['evidence'][k], 2e-3)


def edward_vae():
    """The program of Edward's examples/vae.py at another size (z of 2, relu, softplus scales, RMSProp of epsilon 1, batches, data
    binarised anew): the loss falls, and -log p is no more than the loss."""
    out = answer('vae of Edward', '''grey = sigmoid(6 * outer(draw(Uniform(-1, 1)[200]), seq(-2, 2, 0.5)))
x = draw(Bernoulli(grey))
test = draw(Bernoulli(sigmoid(6 * outer(draw(Uniform(-1, 1)[50]), seq(-2, 2, 0.5)))))
model vae(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[2]; x[i] ~ Bernoulli(logits = mlp(z[i], [32, 9])) } }
net encoder(x) {
    h = relu(dense(x, 32))
    (dense(h, 2), softplus(dense(h, 2)))
}
guide q(x) for vae { plate i in 1..nrow(x) { (l, s) = encoder(x[i]); z[i] ~ Normal(l, s) } }
fit = infer(vae(x), q(x), batch = {i: 50}, epochs = 300, optimizer = rmsprop(0.01, eps = 1), draws = 10)
write("out.json", {trace: fit.trace / 200, elbo: elbo(fit, vae(test), q(test), samples = 200), evidence: log_evidence(fit, vae(test), q(test), samples = 500)})
''')
    if out:
        part = len(out['trace']) // 4
        means = [sum(out['trace'][k * part:(k + 1) * part]) / part for k in range(4)]
        check('vae of Edward: the loss falls', means[0] + 0.2 < means[1] and means[1] < means[3], means)
        check('vae of Edward: better than coins', sum(out['evidence']) / 50 > 9 * math.log(0.5) + 1, sum(out['evidence']) / 50)
        check('vae of Edward: -log p and the loss', all(e < p + 0.03 for e, p in zip(out['elbo'], out['evidence'])), out)


def minimal():
    """100 draws of a normal, one guide of two parameters."""
    out = answer('minimal', '''data y = 3 + draw(Normal(0, 1)[100])
model m { mu ~ Normal(0, 1); plate i in 1..100 { y[i] ~ Normal(mu, 1) } }
guide q for m {
    param loc = 0
    param scale: positive = 1
    mu ~ Normal(loc, scale)
}
fit = infer(m, q)
write("out.json", {loc: fit.params.q.loc, scale: fit.params.q.scale, exact: sum(y) / 101})
''')
    if out:
        near('minimal: loc', out['loc'], out['exact'], 1e-3), near('minimal: scale', out['scale'], 101 ** -0.5, 1e-3)


# Rows have mean 0 and a covariance with the eigenvalues 4, 1, 0.5.
PPCA = '''s = [[1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1], [-1, 1, 1], [-1, 1, -1], [-1, -1, 1], [-1, -1, -1]]
turn = [[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]]
x = (s * sqrt([4, 1, 0.5])) @ turn
'''


def linear_vae():
    """Its optimum is that of probabilistic PCA, and the guide there is exact (Lucas et al. 2019); all data at once, or batches."""
    for name, options, within in [('whole', 'steps = 2500, ' + SCHEDULE, 0.01),
                          ('batches', 'batch = {i: 4}, steps = 8000, optimizer = adam(0.01, schedule = cosine(0.001))', 0.05)]:
        out = answer(f'linear VAE, {name}', PPCA + '''net decoder(z) = dense(z, 3)
model vae(x) {
    param s: positive = 1
    plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[1]; x[i] ~ Normal(decoder(z[i]), s) }
}
guide q(x) for vae {
    param s: positive = 1
    plate i in 1..nrow(x) { z[i] ~ Normal(dense(x[i], 1), s) }
}
fit = infer(vae(x), q(x), ''' + options + ''')
write("out.json", {elbo: mean(elbo(fit, vae(x), q(x), samples = 200)), evidence: mean(log_evidence(fit, vae(x), q(x), samples = 100)),
                   sigma: fit.params.vae.s, w: fit.params.decoder.dense_1.w})
''')
        if out:
            near(f'linear VAE, {name}: ELBO', out['elbo'], -4.6622807077, 2e-3)
            near(f'linear VAE, {name}: evidence', out['evidence'], -4.6622807077, 2e-3)
            near(f'linear VAE, {name}: variance', out['sigma'] ** 2, 0.75, within)
            near(f'linear VAE, {name}: norm', math.sqrt(sum(v * v for v in out['w'][0])), 1.8027756377, within)


def beta_vae():
    """q = N(a x, s^2) with a = w / (w^2 + beta sigma^2), s^2 = 1 / (1 + w^2 / (beta sigma^2)); an error in beta shows in both."""
    for beta, a, s2 in [(4, 1 / 3, 1 / 3), (1, 4 / 9, 1 / 9)]:
        out = answer(f'beta {beta}', '''x = [-2, -1, 0.5, 3]
model m(x) { plate i in 1..4 { z[i] ~ Normal(0, 1); x[i] ~ Normal(2 * z[i], sqrt(0.5)) } }
guide q(x) for m {
    param a = 0
    param s: positive = 1
    plate i in 1..4 { z[i] ~ Normal(a * x[i], s) }
}
fit = infer(m(x), q(x), method = svi(ELBO(particles = 16, kl_weight = ''' + str(beta) + ''')), steps = 1500, ''' + SCHEDULE + ''')
write("out.json", {a: fit.params.q.a, s: fit.params.q.s})
''')
        if out:
            near(f'beta {beta}: a', out['a'], a, 0.01), near(f'beta {beta}: s^2', out['s'] ** 2, s2, 0.01)


def density_ratio():
    """FactorVAE's discriminator: of pairs with correlation 0.8 and of shuffled ones; its mean log odds are the total correlation."""
    out = answer('density ratio', '''n = 20000
a = draw(Normal(0, 1)[n])
b = 0.8 * a + 0.6 * draw(Normal(0, 1)[n])
net odds(u, v) = dense([u ^ 2, v ^ 2, u * v], 1)[1]
model m(u, v, joint) { plate i in 1..len(u) { joint[i] ~ Bernoulli(logits = odds(u[i], v[i])) } }
fit = infer(m(concat(a, a), concat(b, shuffle(b)), concat(ones(n), zeros(n))), batch = {i: 500}, epochs = 15,
            optimizer = adam(0.02, schedule = cosine(0.01)))
new = draw(Normal(0, 1)[n])
twin = 0.8 * new + 0.6 * draw(Normal(0, 1)[n])
w = fit.params.odds.dense_1
write("out.json", {tc: mean(stack(new ^ 2, twin ^ 2, new * twin, dim = 2) @ w.w + w.b), w: w.w})
''')
    if out:
        near('density ratio', out['tc'], 0.5108256238, 0.03)
        near('density ratio: weight of the product', out['w'][2][0], 0.8 / 0.36, 0.1)


def conditional():
    """A learned prior net: z | c ~ N(a c, 1), x | z, c ~ N(z + b c, 1). Only a + b is known; the evidence is that of the regression."""
    out = answer('conditional VAE', '''c = draw(Normal(0, 1)[300])
x = 1.5 * c + draw(Normal(0, sqrt(2))[300])
net prior_net(c) { param a = 0; a * c }
model m(x, c) { plate i in 1..len(x) { z[i] ~ Normal(prior_net(c[i]), 1); x[i] ~ Normal(z[i] + 0.7 * c[i], 1) } }
guide q(x, c) for m {
    param s: positive = 1
    plate i in 1..len(x) { z[i] ~ Normal(dense([x[i], c[i]], 1)[1], s) }
}
fit = infer(m(x, c), q(x, c), batch = {i: 50}, epochs = 300, optimizer = adam(0.02, schedule = cosine(0.005)))
slope = sum(c * x) / sum(c ^ 2)
p = posterior(fit, q([2.0], [1.0]), 4000)
write("out.json", {a: fit.params.prior_net.a, slope: slope, elbo: sum(elbo(fit, m(x, c), q(x, c))),
                   exact: sum(logpdf(Normal(slope * c, sqrt(2)), x)), mean: mean(p.z), sd: sd(p.z)})
''')
    if out:
        near('conditional: prior', out['a'] + 0.7, out['slope'], 0.01), near('conditional: ELBO', out['elbo'], out['exact'], 0.03)
        near('conditional: new mean', out['mean'], (out['a'] + 2 - 0.7) / 2, 0.05), near('conditional: new sd', out['sd'], 0.5 ** 0.5, 0.03)


def neural_process():
    """Constant functions: q(z | context) = N(sum y / (n + 1), 1 / (n + 1)) for contexts of any size; the order does not matter, and
    without any the prior is left."""
    out = answer('neural process', '''T = 300
z0 = draw(Normal(0, 1)[T, 1])
y = z0 + draw(Normal(0, 1)[T, 5])
size = map(t -> t % 6, 1..T)
mask = map(t -> where(seq(1, 5) <= t % 6, 1, 0), 1..T)
net encode(y, mask) {
    param w = 0.5
    param k: positive = 0.5
    precision = 1 + k * sum(mask)
    (w * sum(mask * y) / precision, 1 / sqrt(precision))
}
model m(y, mask) {
    plate t in 1..nrow(y) {
        z[t] ~ Normal(0, 1)
        factor sum(mask[t] * logpdf(Normal(z[t], 1), y[t]))
    }
}
guide q(y, mask) for m { plate t in 1..nrow(y) { (l, r) = encode(y[t], mask[t]); z[t] ~ Normal(l, r) } }
fit = infer(m(y, mask), q(y, mask), batch = {t: 50}, epochs = 150, ''' + SCHEDULE + ''')
p = posterior(fit, q(zeros(1, 5), zeros(1, 5)), 4000)
one = [0.3, -1, 2, 0.1, 0.7]
(a, five) = encode(one, ones(5))
(b, five) = encode(one[[4, 2, 5, 1, 3]], ones(5))
write("out.json", {w: fit.params.encode.w, k: fit.params.encode.k, none: [mean(p.z), sd(p.z)], orders: [a, b], scale: five})
''')
    if out:
        near('neural process: w', out['w'], 1, 0.01), near('neural process: k', out['k'], 1, 0.01)
        near('neural process: empty context', out['none'][0], 0, 0.06), near('neural process: its sd', out['none'][1], 1, 0.04)
        near('neural process: any order', out['orders'][0] - out['orders'][1], 0, 1e-12)
        near('neural process: five', out['orders'][0], 2.1 / 6, 0.01), near('neural process: scale of five', out['scale'], 6 ** -0.5, 0.01)


def statistician():
    """c[s] ~ N(0, 1), x[s, j] ~ N(c[s], 1): a net that pools a data set gives N(n mean / (n + 1), 1 / (n + 1)), also for new sets."""
    out = answer('statistician', '''x = draw(Normal(0, 1)[200, 1]) + draw(Normal(0, 1)[200, 4])
net pool(x) {
    h = sum(map(k -> layer(1, () -> dense(x[k], 3)), 1..4))
    (dense(h, 1)[1], exp(dense(h, 1, init = zeros)[1]))
}
model m(x) { plate s in 1..nrow(x) { c[s] ~ Normal(0, 1); plate j in 1..ncol(x) { x[s, j] ~ Normal(c[s], 1) } } }
guide q(x) for m { plate s in 1..nrow(x) { (l, r) = pool(x[s]); c[s] ~ Normal(l, r) } }
fit = infer(m(x), q(x), batch = {s: 40}, epochs = 200, optimizer = adam(0.02, schedule = cosine(0.01)))
new = [[1.0, 2.0, 0.5, 2.5], [-1.0, -1.0, -2.0, 0.0]]
p = posterior(fit, q(new), 4000)
write("out.json", {mean: mean(p.c, dim = 1), sd: sd(p.c, dim = 1), gap: mean(elbo(fit, m(x), q(x)) -
                   map(s -> logpdf(MultivariateNormal(zeros(4), cov = eye(4) + 1), x[s]), 1..200))})
''')
    if out:
        near('statistician: first', out['mean'][0], 6 / 5, 0.04), near('statistician: second', out['mean'][1], -4 / 5, 0.04)
        near('statistician: sd', out['sd'][0], 0.2 ** 0.5, 0.03), near('statistician: evidence', out['gap'], 0, 0.01)


DECODERS = {
    'Bernoulli': ('Bernoulli(logits = h)', [[1, 0, 1], [0, 0, 0]], lambda h, x: x * h - max(h, 0) - math.log1p(math.exp(-abs(h)))),
    'Poisson': ('Poisson(log_rate = h)', [[2, 0, 1], [7, 1, 3]], lambda h, x: x * h - math.exp(h) - math.lgamma(x + 1)),
    'Laplace': ('Laplace(h, 0.7)', [[0.2, -1, 2], [3, 1, 0]], lambda h, x: -abs(x - h) / 0.7 - math.log(1.4)),
    'StudentT': ('StudentT(3, h, 1)', [[0.2, -1, 2], [9, 1, 0]],
                 lambda h, x: math.lgamma(2) - math.lgamma(1.5) - 0.5 * math.log(3 * math.pi) - 2 * math.log1p((x - h) ** 2 / 3)),
    'Gamma': ('Gamma(2, exp(h))', [[0.2, 1, 2], [9, 1, 0.5]], lambda h, x: 2 * h + math.log(x) - x * math.exp(h)),
    'Beta': ('Beta(exp(h), 1)', [[0.2, 0.9, 0.5], [0.01, 0.8, 0.99]], lambda h, x: h + (math.exp(h) - 1) * math.log(x)),
}


def decoders():
    """Any distribution of what a net makes of z: ELBO <= log evidence <= truth, which is a quadrature."""
    for name, (family, x, log_lik) in DECODERS.items():
        out = answer(name, f'''x = {x}
net decoder(z) = dense(tanh(dense([z], 4)), 3)
model m(x) {{ plate i in 1..2 {{ z[i] ~ Normal(0, 1); h = decoder(z[i]); x[i] ~ {family} }} }}
guide q(x) for m {{ plate i in 1..2 {{ h = dense(x[i] / 5, 2); z[i] ~ Normal(h[1], exp(h[2])) }} }}
fit = infer(m(x), q(x), steps = 400, optimizer = adam(0.02))
d = fit.params.decoder
(evidence, error) = log_evidence(fit, m(x), q(x), samples = 20000, error = true)
write("out.json", {{elbo: elbo(fit, m(x), q(x), samples = 4000), evidence: evidence, error: error,
                    w: d.dense_1.w[1], b: d.dense_1.b, v: d.dense_2.w, c: d.dense_2.b}})
''')
        if not out:
            continue
        for k in range(2):
            def joint(z):
                h = [math.tanh(w * z + b) for w, b in zip(out['w'], out['b'])]
                g = [c + sum(u * r[j] for u, r in zip(h, out['v'])) for j, c in enumerate(out['c'])]
                return sum(log_lik(a, v) for a, v in zip(g, x[k]))
            exact = log_marginal(joint)
            near(f'{name}: evidence {k}', out['evidence'][k], exact, max(0.02, 4 * out['error'][k]))
            check(f'{name}: ELBO {k}', exact - 3 < out['elbo'][k] < exact + 0.02, f'{out["elbo"][k]} {exact}')


def errors():
    """error = true: the spread of repeated estimates, by element."""
    out = answer('errors', '''model m(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q(x) for m { param u = 0; plate i in 1..len(x) { z[i] ~ Normal(u, 1) } }
x = [0.5, -1, 2]
fit = infer(m(x), q(x), steps = 1, optimizer = sgd(0.000001))
for k in 1..300 {
    (v, e) = log_evidence(fit, m(x), q(x), samples = 200, error = true)
    f[k] = v
    g[k] = e
    (v, e) = elbo(fit, m(x), q(x), samples = 20, error = true)
    a[k] = v
    b[k] = e
}
(one, many) = (elbo(fit, m(x), q(x), error = true), elbo(fit, m(x), q(x), samples = 100, error = true))
write("out.json", {f: f, g: g, a: a, b: b, one: one[2], many: many[2]})
''')
    for one, many in zip(out['one'], out['many']) if out else []:
        check('error without a number of samples', 0.2 < one / many < 5, (one, many))
    for what, values, errors in [('evidence', 'f', 'g'), ('ELBO', 'a', 'b')] if out else []:
        for i in range(3):
            v = [row[i] for row in out[values]]
            mean = sum(v) / len(v)
            spread = math.sqrt(sum((x - mean) ** 2 for x in v) / (len(v) - 1))
            said = math.sqrt(sum(row[i] ** 2 for row in out[errors]) / len(v))
            check(f'error of the {what}, {i}', 0.8 < spread / said < 1.25, f'{spread} {said}')


for test in [per_element, inference_network, edward_vae, minimal, linear_vae, beta_vae, density_ratio, conditional, neural_process, statistician, decoders, errors]:
    test()
finish()
