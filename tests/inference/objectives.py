#!/usr/bin/env python3
"""The objectives IWAE and Renyi: values against quadrature, gradients unbiased.

One step of plain gradient ascent from known parameters shows one estimate of the gradient. Its mean over many seeds is compared
with finite differences of the expected bound (an integral over the noise of all draws, or a sum over all values) at 5 standard
errors.
"""
import itertools, math

from answers import bern, derivative, normal
from programs import answer, check, finish, near, run

N = 600


def bound(logs, order):
    if order == 1:
        return sum(logs) / len(logs)
    top, b = max(logs), 1 - order
    return top + math.log(sum(math.exp(b * (v - top)) for v in logs) / len(logs)) / b


def noise(n, width):
    """Points and weights for n standard normal numbers: the trapezoid rule, which is all but exact here."""
    points = [width * k for k in range(-int(5 / width), int(5 / width) + 1)]
    one = [(e, width * math.exp(normal(e, 0))) for e in points]
    for p in itertools.product(one, repeat=n):
        yield [e for e, _ in p], math.prod(w for _, w in p)


def expected(log_ratio, order, draws, each=1, width=0.4):
    """The bound for `draws` draws of `each` numbers: log_ratio(noise of one draw, u)."""
    grid = list(noise(each, width))
    def value(u):
        ratios = [(log_ratio(e, u), w) for e, w in grid]
        return sum(math.prod(w for _, w in p) * bound([r for r, _ in p], order) for p in itertools.product(ratios, repeat=draws))
    return value


# Parameters: w of the model, then u of the guide.

def one(e, u):
    z = u[1] + math.exp(u[2]) * e[0]
    return normal(z, 0) + normal(2, z + u[0]) - normal(z, u[1], math.exp(u[2]))


def half(e, u):
    z = u[1] + math.exp(u[2]) * e[0]
    return 0.5 * normal(z, 0) + normal(2, z + u[0]) - 0.5 * normal(z, u[1], math.exp(u[2]))


def shared(e, u):
    """The net c() is used by both."""
    z = u[0] + u[1] + math.exp(u[2]) * e[0]
    return normal(z, u[0]) + normal(2, 2 * z + u[0]) - normal(z, u[0] + u[1], math.exp(u[2]))


def two(e, u):
    """The second draw's guide and the first one's prior depend on the other draw."""
    a = u[1] + 0.8 * e[0]
    b = u[2] * a + math.exp(u[3]) * e[1]
    return normal(a, 0.5 * b) + normal(b, 0) + normal(4, a + b + u[0]) - normal(a, u[1], 0.8) - normal(b, u[2] * a, math.exp(u[3]))


def many(x):
    def ratio(e, u):
        z = u[1] * x + math.exp(u[2]) * e[0]
        return normal(z, 0) + normal(x, z + u[0]) - normal(z, u[1] * x, math.exp(u[2]))
    return ratio


ONE = '''model m { param w: real = 0.3; z ~ Normal(0, 1); observe 2.0 ~ Normal(z + w, 1) }
guide q for m { param u: real[2] = [0.2, -0.4]; z ~ Normal(u[1], exp(u[2])) }'''
FLOW = '''model m { param w: real = 0.3; z ~ Normal(0, 1)[1]; observe 2.0 ~ Normal(z[1] + w, 1) }
guide q for m {
    param u: real[2] = [0.2, -0.4]
    z ~ Transformed(Normal(0, 1)[1], {forward: e -> (u[1] + exp(u[2]) * e, u[2]), inverse: z -> ((z - u[1]) / exp(u[2]), u[2])})
}'''
SHARED = '''net c() { param v: real = 0.3; v }
model m { z ~ Normal(c(), 1); observe 2.0 ~ Normal(2 * z + c(), 1) }
guide q for m { param u: real[2] = [0.2, -0.4]; z ~ Normal(c() + u[1], exp(u[2])) }'''
TWO = '''model m { param w: real = 0.3; b ~ Normal(0, 1); a ~ Normal(0.5 * b, 1); observe 4.0 ~ Normal(a + b + w, 1) }
guide q for m { param u: real[3] = [0.2, 1.5, -0.4]; a ~ Normal(u[1], 0.8); b ~ Normal(u[2] * a, exp(u[3])) }'''
MANY = '''data x = [-1, 0.5, 2]
model m { param w: real = 0.3; plate i in 1..3 { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i] + w, 1) } }
guide q for m { param u: real[2] = [0.2, -0.4]; plate i in 1..3 { z[i] ~ Normal(u[1] * x[i], exp(u[2])) } }'''
# A factor outside the plate is no part of the weights.
OUTSIDE = MANY.replace('0.3; plate', '0.3; factor -2 * w ^ 2; plate')
PAIR = '''model m { param w: real = 0.3; k ~ Bernoulli(0.3); observe 1.2 ~ Normal(2 * k + w, 1) }
guide q for m { param u: real = 0.4; k ~ Bernoulli(logits = u) }'''
EACH = '''data x = [1.2, -0.3]
model m { param w: real = 0.3; plate i in 1..2 { k[i] ~ Bernoulli(0.3); x[i] ~ Normal(2 * k[i] + w, 1) } }
guide q for m { param u: real = 0.4; plate i in 1..2 { k[i] ~ Bernoulli(logits = u) } }'''


def coin(x, order, draws):
    def value(u):
        out = 0
        for ks in itertools.product((0, 1), repeat=draws):
            logs = [bern(k, math.log(0.3 / 0.7)) + normal(x, 2 * k + u[0]) - bern(k, u[1]) for k in ks]
            out += math.exp(sum(bern(k, u[1]) for k in ks)) * bound(logs, order)
        return out
    return value


def sum_of(*parts):
    return lambda u: sum(f(u) for f in parts)


MW, U = ['m.w'], [0.2, -0.4]
CASES = {
    'IWAE(2)': (ONE, 'IWAE(2)', '', MW, [0.3] + U, expected(one, 0, 2)),
    'IWAE(3)': (ONE, 'IWAE(3)', '', MW, [0.3] + U, expected(one, 0, 3)),
    'Renyi(0.5)': (ONE, 'Renyi(0.5, k = 2)', '', MW, [0.3] + U, expected(one, 0.5, 2)),
    'Renyi(2)': (ONE, 'Renyi(2, k = 2)', '', MW, [0.3] + U, expected(one, 2, 2)),
    'Renyi(0.999)': (ONE, 'Renyi(0.999, k = 2)', '', MW, [0.3] + U, expected(one, 1, 2)),
    'Renyi(1)': (ONE, 'Renyi(1, k = 2)', '', MW, [0.3] + U, expected(one, 1, 2)),
    'a flow': (FLOW, 'IWAE(2)', '', MW, [0.3] + U, expected(one, 0, 2)),
    'a net of both': (SHARED, 'IWAE(2)', '', ['c.v'], [0.3] + U, expected(shared, 0, 2)),
    'two draws': (TWO, 'IWAE(2)', '', MW, [0.3, 0.2, 1.5, -0.4], expected(two, 0, 2, each=2, width=0.75)),
    'by element': (MANY, 'IWAE(2)', '', MW, [0.3] + U, sum_of(*(expected(many(x), 0, 2) for x in (-1, 0.5, 2)))),
    'a batch': (MANY, 'IWAE(2)', ', batch = {i: 1}', MW, [0.3] + U, sum_of(*(expected(many(x), 0, 2) for x in (-1, 0.5, 2)))),
    'terms outside': (OUTSIDE, 'IWAE(2)', '', MW, [0.3] + U,
                      sum_of(lambda u: -2 * u[0] ** 2, *(expected(many(x), 0, 2) for x in (-1, 0.5, 2)))),
    'closed': (ONE, 'ELBO(analytic_kl = true)', '', MW, [0.3] + U, expected(one, 1, 1)),
    'closed, weighed': (ONE, 'ELBO(analytic_kl = true, kl_weight = 0.5)', '', MW, [0.3] + U, expected(half, 1, 1)),
    'closed where possible': (TWO, 'ELBO(analytic_kl = true, particles = 2)', '', MW, [0.3, 0.2, 1.5, -0.4],
                              expected(two, 1, 1, each=2)),
    'closed, a batch': (MANY, 'ELBO(analytic_kl = true)', ', batch = {i: 1}', MW, [0.3] + U,
                        sum_of(*(expected(many(x), 1, 1) for x in (-1, 0.5, 2)))),
    'closed, a net of both': (SHARED, 'ELBO(analytic_kl = true)', '', ['c.v'], [0.3] + U, expected(shared, 1, 1)),
    'closed, coins': (EACH, 'ELBO(analytic_kl = true, particles = 2)', '', MW, [0.3, 0.4], sum_of(coin(1.2, 1, 1), coin(-0.3, 1, 1))),
    'a coin': (PAIR, 'IWAE(3)', '', MW, [0.3, 0.4], coin(1.2, 0, 3)),
    'a coin, Renyi(0.5)': (PAIR, 'Renyi(0.5, k = 2)', '', MW, [0.3, 0.4], coin(1.2, 0.5, 2)),
    'coins by element': (EACH, 'IWAE(2)', '', MW, [0.3, 0.4], sum_of(coin(1.2, 0, 2), coin(-0.3, 0, 2))),
}


def gradients():
    """The sign of a bias shows in the mean; the bound itself is fit.trace."""
    for name, (model, objective, options, at, start, exact) in CASES.items():
        n = 5 * N if name == 'two draws' else N
        guide = 'flatten([fit.params.q.u])'
        out = answer(name, f'''{model}
for s in 1..{n} {{
    fit = infer(m, q, steps = 1, draws = 1, seed = s, optimizer = sgd(1), method = svi({objective}){options})
    g[s] = concat([fit.params.{at[0]}], {guide})
    f[s] = fit.trace[1]
}}
write("out.json", {{g: g, f: f}})
''')
        if not out:
            continue
        want = derivative(exact, start, 1e-4) + [exact(start)]
        for k, truth in enumerate(want):
            values = out['f'] if k == len(start) else [row[k] - start[k] for row in out['g']]
            mean = sum(values) / n
            error = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
            check(f'{name}: {"value" if k == len(start) else k}', abs(mean - truth) < 5 * error + 2e-3 * abs(truth) + 1e-4,
                  f'{mean} +- {error}, should be {truth}')


# What a guide draws, what the model does; the number of draws is that of elements.
PAIRS = {
    'vectors': ('Normal([0.1, 0.2, 0.3], 0.5)', 'Normal(0, [1, 2, 3])'),
    'copies': ('Normal(0.1, [0.5, 0.6])[3]', 'Normal(0, 1)[3, 2]'),
    'other copies': ('Normal([0.1, 0.2], 0.5)', 'Normal(0, 1)[2]'),
    'MultivariateNormal': ('MultivariateNormal([0.1, 0.2], cov = [[1, 0.3], [0.3, 0.5]])', 'MultivariateNormal([0, 0], cov = [[2, 0], [0, 1]])'),
    'Gamma': ('Gamma(2, [1, 3])', 'Gamma(1.5, 2)[2]'),
    'Beta': ('Beta(2, 3)', 'Beta(1, 1.5)'),
    'Dirichlet': ('Dirichlet([2, 3, 4])', 'Dirichlet([1, 1, 1.5])'),
    'Categorical': ('Categorical([0.2, 0.5, 0.3])', 'Categorical(logits = [0, 1, 2])'),
    'Bernoulli': ('Bernoulli([0.2, 0.9])', 'Bernoulli(0.4)[2]'),
    'LogNormal': ('LogNormal(0.2, 0.7)', 'LogNormal(0, 1)'),
}


def closed_forms():
    """Where the likelihood does not depend on the latents, the objective does not depend on the noise: but for a constant it is
    minus the divergence, which is estimated here from draws. In a plate that neither depends on it counts for each element."""
    for name, (q, p) in PAIRS.items():
        for times in (1, 3):
            at, open_, close = ('z[i]', 'plate i in 1..3 { ', ' }') if times == 3 else ('z', '', '')
            out = answer(f'{name}, {times}', f'''data y = 1
model m {{
    {open_}{at} ~ {p}{close}
    y ~ Normal(0, 1)
}}
guide q for m {{
    param u: real = 0
    {open_}{at} ~ {q}{close}
}}
for s in 1..3 {{
    fit = infer(m, q, steps = 1, draws = 1, seed = s, optimizer = sgd(0.1), method = svi(ELBO(analytic_kl = true, particles = 2)))
    f[s] = fit.trace[1]
}}
from = {q}
to = {p}
fn gap(x) = sum(logpdf(from, x)) - sum(logpdf(to, x))
d = map(k -> gap(draw(from)), 1..2000)
write("out.json", {{f: f, kl: mean(d), error: sd(d) / sqrt(2000)}})
''')
            if not out:
                continue
            value = normal(1, 0) - times * out['kl']
            check(f'{name}, {times}: no noise', max(out['f']) - min(out['f']) < 1e-12, out['f'])
            near(f'{name}, {times}', out['f'][0], value, 5 * times * out['error'])


def by_element():
    """Layers and convolutions keep elements apart, whatever is joined on the way; neighbours, and latents of all, do not."""
    text = '''x = draw(Normal(0, 1)[6, 4])
net decoder(z) = z |> dense(5) |> tanh |> dense(4)
net images(z) = flatten(conv2d(reshape(z, 2, 2, 1), 1, padding = 1))[1..4]
fn order(i) = (i % 6) + 1
model m(x) {
    PRIOR
    plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[4] }
    plate i in 1..nrow(x) { x[i] ~ Normal(MEAN, 1) }
}
guide q(x) for m {
    GUIDE
    plate i in 1..nrow(x) { h = dense(x[i], 8); z[i] ~ Normal(h[1..4], exp(h[5..8])) }
}
fit = infer(m(x), q(x), steps = 2, method = svi(IWAE(3)))
print(summary(fit))
'''
    for name, prior, mean, guide, apart in [
            ('layers', '', 'decoder(z[i])', '', True), ('convolution', '', 'images(z[i])', '', True),
            ('neighbours', '', 'z[order(i)]', '', False),
            ('a latent of all', 'w ~ Normal(0, 1)', 'w * z[i]', 'param u = 0; w ~ Normal(u, 1)', False)]:
        code, _, prints, err = run(text.replace('PRIOR', prior).replace('MEAN', mean).replace('GUIDE', guide))
        note = 'for each element of the plate i' if apart else 'of everything together'
        check(f'by element: {name}', code == 0 and f'IWAE weighs 3 draws {note}' in prints[0], f'{prints} {err}')


def tape_is_tree():
    for name, objective in [(n, CASES[n][1]) for n in ('by element', 'two draws', 'a flow', 'coins by element', 'closed, a batch')]:
        text = f'''{CASES[name][0]}
fit = infer(m, q, steps = 20, method = svi({objective}))
write("out.json", {{trace: fit.trace, w: fit.params.m.w, u: fit.params.q.u, e: log_evidence(fit, samples = 20)}})
'''
        one, two = run(text), run(text, walk=True)
        check(f'{name}: tape and tree', one[0] == 0 and one[1] == two[1], f'{one} {two}')


def diverged():
    """A guide so narrow that its draws are all rounding: log q at them is none, and no ELBO is reported."""
    code, _, prints, err = run('''data y = [1.0, 2.0]
model m { s ~ HalfCauchy(1); plate i in 1..2 { b[i] ~ Normal(0, s); y[i] ~ Normal(b[i], 1) } }
fit = infer(m, auto_mvn(), steps = 1500, optimizer = adam(3))
print(fit.elbo, summary(fit))
''', '--strict')
    check('diverged', code == 3 and prints[0].startswith('nan') and 'diverged' in prints[0], f'{code} {prints} {err}')


for test in [gradients, closed_forms, by_element, tape_is_tree, diverged]:
    test()
finish()
