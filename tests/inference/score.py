#!/usr/bin/env python3
"""The score function's gradient: unbiased, and less noisy with a baseline; and what it leads to.

One step of plain gradient ascent from known parameters shows one estimate of the gradient. Its mean over many seeds is
compared with the exact derivative of the ELBO (a sum over all values) at 5 standard errors, its spread between
baselines.
The moving average is seen in several tiny steps, a minibatch in a whole epoch of them.
"""
import itertools, json, math, subprocess, sys, tempfile

from answers import bern, derivative, normal
from programs import PPL, check, finish

N, TINY = 1500, 1e-6


def run(text):
    """What the program writes to OUT, or its messages."""
    with tempfile.TemporaryDirectory() as d:
        with open(f'{d}/m.ppl', 'w') as f:
            f.write(text.replace('OUT', f'{d}/out.json'))
        done = subprocess.run([PPL, 'run', '--quiet', f'{d}/m.ppl'], capture_output=True, text=True, timeout=600)
        if done.returncode:
            return None, done.stderr
        return json.load(open(f'{d}/out.json')), ''


def estimates(case, baseline, particles, n):
    steps = 10 if baseline == 'average' else case.get('steps', 1)
    rate = 1 if steps == 1 else TINY
    call = 'm, q' if 'guide' in case else 'm'
    objective = f"ELBO(particles = {particles}{case.get('objective', '')})"
    got, why = run(f'''{case['model']}
{case.get('guide', '')}
for s in 1..{n} {{
    fit = infer({call}, steps = {steps}, draws = 1, seed = s, optimizer = sgd({rate}){case.get('options', '')},
                method = svi(objective = {objective}, baseline = "{baseline}"))
    g[s] = (fit.params.{case.get('at', 'q.u')} - {case['start']}) / {steps * rate}
}}
write("OUT", {{g: g}})
''')
    return (None, why) if got is None else ([x if isinstance(x, list) else [x] for x in got['g']], '')


# -- Exact ELBOs --

def odds(p):
    return math.log(p / (1 - p))


def total(n, log_q, log_prior, log_lik, weight=1):
    """E_q[log_lik + weight (log_prior - log_q)] over n values of 0 and 1."""
    out = 0
    for z in itertools.product((0, 1), repeat=n):
        q = log_q(z)
        out += math.exp(q) * (log_lik(z) + weight * (log_prior(z) - q))
    return out


def poisson(u):
    rate, out = math.exp(u[0]), 0
    for k in range(80):
        q = k * u[0] - rate - math.lgamma(k + 1)
        out += math.exp(q) * (k * math.log(3) - 3 - math.lgamma(k + 1) + normal(4, k) - q)
    return out


def geometric(u):
    p, out = 1 / (1 + math.exp(-u[0])), 0
    for k in range(400):
        q = math.log(p) + k * math.log1p(-p)
        out += math.exp(q) * (math.log(0.3) + k * math.log(0.7) + normal(4, k, 3) - q)
    return out


def categorical(u):
    lse, out = math.log(sum(math.exp(x) for x in u)), 0
    for x, p, y in zip(u, (0.2, 0.5, 0.3), (1, 2, 3)):
        out += math.exp(x - lse) * (math.log(p) + normal(2.5, y) - x + lse)
    return out


X4, X3, BERN = (0.3, 1.4, -0.5, 2.0), (0.3, 1.4, 2.5), lambda z, p: sum(bern(v, odds(p)) for v in z)


def chain_prior(z):
    return bern(z[0], odds(0.4)) + sum(bern(z[t], odds(0.8 if z[t - 1] else 0.3)) for t in (1, 2))


def then_normal(u):
    """E over z ~ N(u2 + k, 0.8) in closed form."""
    out = 0
    for k in (0, 1):
        q, m, v = bern(k, u[0]), u[1] + k, 0.64
        entropy = 0.5 * math.log(2 * math.pi * math.e * v)
        out += math.exp(q) * (bern(k, odds(0.3)) - q + entropy + normal(m, k) + normal(0.7, m) - v)
    return out


def beside_sum(u):
    def lik(z):
        return math.log(sum(w * math.exp(normal(1.2, z[0] + c)) for w, c in ((0.3, -1), (0.7, 1))))
    return total(1, lambda z: bern(z[0], u[0]), lambda z: bern(z[0], odds(0.4)), lik)


PLATE = 'data x = [0.3, 1.4, -0.5, 2.0]\nmodel m { plate i in 1..4 { z[i] ~ Bernoulli(0.5); x[i] ~ Normal(z[i], 1) } }'
PLATE_GUIDE = 'guide q for m { param u: real = 0.2; plate i in 1..4 { z[i] ~ Bernoulli(logits = u) } }'
THREE = 'guide q for m { param u: real[3] = [0.2, -0.3, 0.5]; plate i in 1..3 { z[i] ~ Bernoulli(logits = u[i]) } }'


def plate(u, weight=1):
    return sum(total(1, lambda z: bern(z[0], u[0]), lambda z: bern(z[0], 0), lambda z: normal(x, z[0]), weight)
               for x in X4)


CASES = {
    'bernoulli': dict(
        model='model m { z ~ Bernoulli(0.3); observe 1.2 ~ Normal(2 * z, 1) }',
        guide='guide q for m { param u: real = 0.4; z ~ Bernoulli(logits = u) }', start=[0.4],
        exact=lambda u: total(1, lambda z: bern(z[0], u[0]), lambda z: BERN(z, 0.3), lambda z: normal(1.2, 2 * z[0]))),
    'poisson': dict(
        model='model m { k ~ Poisson(3); observe 4.0 ~ Normal(k, 1) }',
        guide='guide q for m { param u: real = 0.9; k ~ Poisson(exp(u)) }', start=[0.9], exact=poisson),
    'geometric': dict(
        model='model m { k ~ Geometric(0.3); observe 4.0 ~ Normal(k, 3) }',
        guide='guide q for m { param u: real = -0.9; k ~ Geometric(logits = u) }', start=[-0.9], exact=geometric),
    'categorical': dict(
        model='model m { k ~ Categorical([0.2, 0.5, 0.3]); observe 2.5 ~ Normal(k, 1) }',
        guide='guide q for m { param u: real[3] = [0.3, -0.2, 0.1]; k ~ Categorical(logits = u) }',
        start=[0.3, -0.2, 0.1], exact=categorical),
    'plate': dict(model=PLATE, guide=PLATE_GUIDE, start=[0.2], exact=plate),
    'half the divergence': dict(model=PLATE, guide=PLATE_GUIDE, start=[0.2], objective=', kl_weight = 0.5',
                                exact=lambda u: plate(u, 0.5)),
    'minibatch': dict(model=PLATE, guide=PLATE_GUIDE, start=[0.2], steps=2, options=', batch = {i: 2}', exact=plate),
    'sum over a plate': dict(
        model='model m { plate i in 1..3 { z[i] ~ Bernoulli(0.4) }; observe 1.7 ~ Normal(sum(z), 1) }', guide=THREE,
        start=[0.2, -0.3, 0.5],
        exact=lambda u: total(3, lambda z: sum(map(bern, z, u)), lambda z: BERN(z, 0.4),
                              lambda z: normal(1.7, sum(z)))),
    'neighbours in a plate': dict(
        model='''data x = [0.3, 1.4, 2.5]
data next = [2, 3, 1]
model m {
    plate i in 1..3 { z[i] ~ Bernoulli(0.4) }
    plate i in 1..3 { x[i] ~ Normal(3 * z[next[i]] + z[i], 1) }
}''', guide=THREE, start=[0.2, -0.3, 0.5],
        exact=lambda u: total(3, lambda z: sum(map(bern, z, u)), lambda z: BERN(z, 0.4),
                              lambda z: sum(normal(X3[i], 3 * z[(i + 1) % 3] + z[i]) for i in range(3)))),
    'running sum in a plate': dict(
        model='''data x = [0.3, 1.4, 2.5]
model m {
    plate i in 1..3 { z[i] ~ Bernoulli(0.4) }
    level = cumsum(z)
    plate i in 1..3 { x[i] ~ Normal(2 * level[i], 1) }
}''', guide=THREE, start=[0.2, -0.3, 0.5],
        exact=lambda u: total(3, lambda z: sum(map(bern, z, u)), lambda z: BERN(z, 0.4),
                              lambda z: sum(normal(X3[i], 2 * sum(z[:i + 1])) for i in range(3)))),
    'chain': dict(
        model='''data x = [0.3, 1.4, 2.5]
model m {
    z[1] ~ Bernoulli(0.4)
    for t in 2..3 { z[t] ~ Bernoulli(if z[t - 1] == 1 { 0.8 } else { 0.3 }) }
    for t in 1..3 { x[t] ~ Normal(2 * z[t], 1) }
}''', guide='''guide q for m {
    param u: real[3] = [0.2, -0.3, 0.5]
    z[1] ~ Bernoulli(logits = u[1])
    for t in 2..3 { z[t] ~ Bernoulli(logits = u[t] + z[t - 1]) }
}''', start=[0.2, -0.3, 0.5],
        exact=lambda u: total(3, lambda z: bern(z[0], u[0]) + sum(bern(z[t], u[t] + z[t - 1]) for t in (1, 2)),
                              chain_prior, lambda z: sum(normal(X3[t], 2 * z[t]) for t in range(3)))),
    'one run per particle': dict(
        model='''model m {
    k ~ Bernoulli(0.4)
    if k == 1 { observe 1.0 ~ Normal(2, 1) } else { observe 1.0 ~ Normal(0, 2); factor 0.3 }
}''', guide='guide q for m { param u: real = 0.4; k ~ Bernoulli(logits = u) }', start=[0.4],
        exact=lambda u: total(1, lambda z: bern(z[0], u[0]), lambda z: BERN(z, 0.4),
                              lambda z: normal(1, 2) if z[0] else normal(1, 0, 2) + 0.3)),
    'more sites in some runs': dict(
        model='''model m {
    k ~ Bernoulli(0.4)
    if k == 1 { j ~ Bernoulli(0.3); observe 1.0 ~ Normal(3 * j, 1) } else { observe 1.0 ~ Normal(0, 2) }
}''', guide='''guide q for m {
    param u: real[2] = [0.4, -0.2]
    k ~ Bernoulli(logits = u[1])
    if k == 1 { j ~ Bernoulli(logits = u[2]) }
}''', start=[0.4, -0.2],
        exact=lambda u: math.exp(bern(0, u[0])) * (bern(0, odds(0.4)) - bern(0, u[0]) + normal(1, 0, 2))
        + math.exp(bern(1, u[0])) * (bern(1, odds(0.4)) - bern(1, u[0]) + total(
            1, lambda z: bern(z[0], u[1]), lambda z: BERN(z, 0.3), lambda z: normal(1, 3 * z[0])))),
    'a normal after it': dict(
        model='model m { k ~ Bernoulli(0.3); z ~ Normal(k, 1); observe 0.7 ~ Normal(z, 1) }',
        guide='''guide q for m {
    param u: real[2] = [0.4, -0.2]
    k ~ Bernoulli(logits = u[1])
    z ~ Normal(u[2] + k, 0.8)
}''',
        start=[0.4, -0.2], exact=then_normal),
    'nested plates': dict(
        model='''data x = [[0.3, 1.4], [2.5, 2.0]]
model m {
    plate i in 1..2 {
        w[i] ~ Bernoulli(0.3)
        plate j in 1..2 { z[i, j] ~ Bernoulli(0.6); x[i, j] ~ Normal(z[i, j] + w[i], 1) }
    }
}''', guide='''guide q for m {
    param u: real[2] = [0.4, -0.2]
    plate i in 1..2 { w[i] ~ Bernoulli(logits = u[1]); plate j in 1..2 { z[i, j] ~ Bernoulli(logits = u[2] + w[i]) } }
}''', start=[0.4, -0.2],
        exact=lambda u: sum(total(3, lambda z: bern(z[0], u[0]) + sum(bern(v, u[1] + z[0]) for v in z[1:]),
                                  lambda z: bern(z[0], odds(0.3)) + BERN(z[1:], 0.6),
                                  lambda z: sum(normal(a, v + z[0]) for a, v in zip(x, z[1:])))
                            for x in ((0.3, 1.4), (2.5, 2.0)))),
    'beside a sum': dict(
        model='''model m {
    k ~ Bernoulli(0.4)
    c ~ Categorical([0.3, 0.7])
    observe 1.2 ~ Normal(k + [-1, 1][c], 1)
}''', guide='guide q for m { param u: real = 0.4; k ~ Bernoulli(logits = u) }', start=[0.4], exact=beside_sum),
    'drawn from the model': dict(
        model='model m { param u: real = 0.4; k ~ Bernoulli(logits = u); observe 1.2 ~ Normal(2 * k, 1) }',
        options=', discrete = {k: "draw"}', at='m.u', start=[0.4],
        exact=lambda u: total(1, lambda z: bern(z[0], u[0]), lambda z: bern(z[0], u[0]),
                              lambda z: normal(1.2, 2 * z[0]))),
}


def unbiased(name, case):
    start = case['start']
    exact, spread = derivative(case['exact'], start, 1e-5), {}
    case['start'] = start[0] if len(start) == 1 else str(start)
    for baseline, particles in (('loo', 4), ('none', 4), ('average', 1)):
        n = N if baseline != 'average' else N // 5
        g, why = estimates(case, baseline, particles, n)
        check(f'{name}, {baseline}: runs', g is not None, why)
        if g is None:
            continue
        spread[baseline] = 0
        for k, want in enumerate(exact):
            column = [x[k] for x in g]
            mean = sum(column) / n
            variance = sum((x - mean) ** 2 for x in column) / (n - 1)
            error = math.sqrt(variance / n)
            spread[baseline] += variance
            check(f'{name}, {baseline}: unbiased', abs(mean - want) < 5 * error + 1e-7,
                  f'{mean} +- {error}, exact {want}')
    if 'loo' in spread and 'none' in spread:
        check(f'{name}: the baseline helps', spread['loo'] < spread['none'], f'{spread}')
        if '-v' in sys.argv:
            print(f"{name}: variance {spread['none']:.3g}, leave-one-out {spread['loo']:.3g}")


def elements_of_a_plate():
    """The noise of one element's gradient does not grow with the number of elements."""
    spread = []
    for size in (2, 200):
        case = dict(model=f'''data x = full(0.7, {size})
model m {{ plate i in 1..{size} {{ z[i] ~ Bernoulli(0.5); x[i] ~ Normal(z[i], 1) }} }}''',
                    guide=f'''guide q for m {{
    param u: real[{size}] = full(0.2, {size})
    plate i in 1..{size} {{ z[i] ~ Bernoulli(logits = u[i]) }}
}}''', start=0.2)
        g, why = estimates(case, 'loo', 4, 300)
        check('elements of a plate', g is not None, why)
        if g is not None:
            mean = sum(x[0] for x in g) / 300
            spread.append(sum((x[0] - mean) ** 2 for x in g) / 299)
    if len(spread) == 2:
        check('elements of a plate do not add noise', spread[1] < 1.5 * spread[0], f'{spread}')


def posteriors():
    """No success in k trials of probability 0.4 thins Poisson(3) to Poisson(1.8), Geometric(0.3) to Geometric(0.58)."""
    for family, guide, mean, variance, evidence in (
            ('Poisson(3)', 'param r: positive = 1; k ~ Poisson(r)', 1.8, 1.8, -1.2),
            ('Geometric(0.3)', 'param p: unit = 0.5; k ~ Geometric(p)', 0.42 / 0.58, 0.42 / 0.58 ** 2,
             math.log(0.3 / 0.58)),
            ('NegativeBinomial(total_count = 3, p = 0.5)',
             'param p: unit = 0.5; k ~ NegativeBinomial(total_count = 3, p = p)',
             3 * 0.3 / 0.7, 3 * 0.3 / 0.49, 3 * math.log(0.5 / 0.7))):
        got, why = run(f'''model m {{ k ~ {family}; observe 0 ~ Binomial(k, 0.4) }}
guide q for m {{ {guide} }}
fit = infer(m, q, draws = 20000)
write("OUT", {{mean: mean(fit.k), variance: var(fit.k), elbo: fit.elbo}})
''')
        check(f'{family}: runs', got is not None, why)
        if got is None:
            continue
        check(f'{family}: mean', abs(got['mean'] - mean) < 0.04 * mean + 0.02, f"{got['mean']}, exact {mean}")
        check(f'{family}: variance', abs(got['variance'] - variance) < 0.1 * variance,
              f"{got['variance']}, exact {variance}")
        check(f'{family}: evidence', abs(got['elbo'] - evidence) < 2e-3, f"{got['elbo']}, exact {evidence}")


def choices():
    """The option `discrete` leaves the answers as they are."""
    got, why = run('''data x = [0.8, -0.5, 2.2]
model m { plate n in 1..3 { k[n] ~ Bernoulli(0.3); x[n] ~ Normal(2 * k[n], 1) } }
guide q for m { plate n in 1..3 { param l = 0; k[n] ~ Bernoulli(logits = l) } }
a = infer(m)
b = infer(m, discrete = {k: "sum"})
c = infer(m, q, discrete = {k: "score"})
d = infer(m, method = importance(20000), discrete = {k: "draw"})
write("OUT", {a: a.log_evidence, b: b.log_evidence, c: c.elbo, d: d.log_evidence, p: a.k[:, 2], s: mean(c.k, 1)})
''')
    check('choices run', got is not None, why)
    if got is None:
        return
    check('sum is the default', got['a'] == got['b'], f'{got}')
    check('score', abs(got['c'] - got['a']) < 1e-3, f'{got}')
    check('draw', abs(got['d'] - got['a']) < 0.05, f'{got}')
    check('score: probabilities', all(abs(p - s) < 0.03 for p, s in zip(got['p'], got['s'])), f'{got}')


for name, case in CASES.items():
    unbiased(name, case)
elements_of_a_plate()
posteriors()
choices()
finish()
