#!/usr/bin/env python3
"""Discrete draws of a guide summed out (discrete = {k: "sum"}): the ELBO and its gradient against sums worked out here, guides
that can be exact against the evidence, minibatches, impossible values, bits."""
import itertools
import math

from answers import log_sum, normal, softmax
from programs import answer, check, finish, near, run

SCHEDULE = 'steps = 3000, optimizer = adam(0.02, schedule = cosine(0.01))'


MIXTURE = '''data x = [0.3, 2.0, 5.1]
model m(x) {
    plate i in 1..len(x) {
        k[i] ~ Categorical([0.5, 0.3, 0.2])
        z[i] ~ Normal(k[i], 1)
        x[i] ~ Normal(z[i], 1)
    }
}
'''
GUIDES = {
    'by index': 'z[i] ~ Normal(a[i, k[i]], sqrt(0.5))',
    'divergences in closed form': 'z[i] ~ Normal(a[i, k[i]], sqrt(0.5))',
    'by branches': 'if k[i] == 1 { z[i] ~ Normal(a[i, 1], sqrt(0.5)) } else { z[i] ~ Normal(a[i, k[i]], sqrt(0.5)) }',
    'element by element': 'n = sum(1..i)\n z[i] ~ Normal(a[i, k[i]] + 0 * n, sqrt(0.5))',
}


def exact():
    """z depends on k in the guide too: the bound is the evidence, the classifier the posterior."""
    terms = [[math.log(p) + normal(x, k + 1, math.sqrt(2)) for k, p in enumerate([0.5, 0.3, 0.2])] for x in [0.3, 2.0, 5.1]]
    for name, line in GUIDES.items():
        closed = ', method = svi(ELBO(analytic_kl = true))' if name == 'divergences in closed form' else ''
        out = answer(name, MIXTURE + f'''guide q(x) for m {{
    param l: real[3, 3]
    param a: real[3, 3]
    plate i in 1..len(x) {{
        k[i] ~ Categorical(logits = l[i])
        {line}
    }}
}}
fit = infer(m(x), q(x), discrete = {{k: "sum"}}, {SCHEDULE}{closed})
write("out.json", {{elbo: fit.elbo, error: fit.elbo_mcse, p: softmax(fit.params.q.l), a: fit.params.q.a, k: mean(fit.k == 2, dim = 1)}})
''')
        if not out:
            continue
        near(f'{name}: ELBO', out['elbo'], sum(map(log_sum, terms)), 1e-5)
        check(f'{name}: no noise', out['error'] < 1e-5, out['error'])
        for i, t in enumerate(terms):
            for k, p in enumerate(softmax(t)):
                near(f'{name}: probability of {k + 1} for {i + 1}', out['p'][i][k], p, 1e-4)
                near(f'{name}: mean of z for {k + 1}, {i + 1}', out['a'][i][k], ([0.3, 2.0, 5.1][i] + k + 1) / 2, 1e-3)
            near(f'{name}: draws for {i + 1}', out['k'][i], softmax(t)[1], 0.03)


def value_and_gradient():
    """Two draws, the second depends on the first, and terms of either alone; the divergence weighed by 0.4."""
    l0, r0, weight = [0.3, -0.2], [[0.1, 0.5, -0.4], [-0.7, 0.2, 0.6]], 0.4

    def bound(v):
        l, r = v[:2], [v[2:5], v[5:8]]
        total = 0
        for k, j in itertools.product(range(2), range(3)):
            q = math.log(softmax(l)[k]) + math.log(softmax(r[k])[j])
            p = math.log([0.7, 0.3][k]) + math.log([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]][k][j])
            data = normal(0.4, k + 1, 1) + normal(2.2, j + 1, 0.7) + normal(1.1, (k + 1) * (j + 1), 2)
            total += math.exp(q) * (data + weight * (p - q))
        return total

    start, h = l0 + r0[0] + r0[1], 1e-5
    slope = [(bound([a + h * (i == k) for i, a in enumerate(start)]) - bound([a - h * (i == k) for i, a in enumerate(start)])) / (2 * h)
             for k in range(8)]
    out = answer('value and gradient', f'''data y = [0.4, 2.2, 1.1]
model m {{
    k ~ Categorical([0.7, 0.3])
    j ~ Categorical([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]][k])
    y[1] ~ Normal(k, 1)
    y[2] ~ Normal(j, 0.7)
    y[3] ~ Normal(k * j, 2)
}}
guide q for m {{
    param l: real[2] = {l0}
    param r: real[2, 3] = {r0}
    k ~ Categorical(logits = l)
    j ~ Categorical(logits = r[k])
}}
fit = infer(m, q, discrete = {{k: "sum", j: "sum"}}, method = svi(ELBO(kl_weight = {weight})), steps = 1, optimizer = sgd(0.001))
write("out.json", {{trace: fit.trace[1], l: fit.params.q.l, r: fit.params.q.r}})
''')
    if out:
        near('value', out['trace'], bound(start), 1e-10)
        after = out['l'] + out['r'][0] + out['r'][1]
        for k in range(8):
            near(f'gradient {k}', (after[k] - start[k]) / 0.001, slope[k], 1e-6)


def chain():
    """States of a chain, in the guide each depends on the one before it (as a table that is learned): again exact."""
    step, x = [[0.8, 0.2], [0.3, 0.7]], [0.2, 1.9, 1.4, 2.5]
    terms = []
    for path in itertools.product(range(2), repeat=4):
        p = math.log(0.5) + sum(math.log(step[a][b]) for a, b in zip(path, path[1:]))
        terms.append(p + sum(normal(v, k + 1, 1) for v, k in zip(x, path)))
    out = answer('chain', f'''data x = {x}
model m {{
    k[1] ~ Categorical([0.5, 0.5])
    for t in 2..4 {{ k[t] ~ Categorical([[0.8, 0.2], [0.3, 0.7]][k[t - 1]]) }}
    for t in 1..4 {{ x[t] ~ Normal(k[t], 1) }}
}}
guide q for m {{
    param first: real[2] = 0
    param table: real[4, 2, 2] = 0
    k[1] ~ Categorical(logits = first)
    for t in 2..4 {{ k[t] ~ Categorical(logits = table[t, k[t - 1]]) }}
}}
fit = infer(m, q, discrete = {{k: "sum"}}, {SCHEDULE})
write("out.json", {{elbo: fit.elbo}})
''')
    if out:
        near('chain: ELBO', out['elbo'], log_sum(terms), 1e-6)


def drawn():
    """A Gamma draw, whose sampler takes its parameters, for each value of k; the mean of the bound, by many particles."""
    out = answer('drawn', '''model m { k ~ Categorical([0.4, 0.6]); g ~ Gamma(2 * k, 3); observe 2 ~ Poisson(g) }
guide q for m {
    param p: simplex[2]
    k ~ Categorical(p)
    g ~ Gamma(2 * k + 2, 4)
}
fit = infer(m, q, discrete = {k: "sum"}, steps = 3000, optimizer = adam(0.02, schedule = cosine(0.01)))
write("out.json", {p: fit.params.q.p[2], elbo: fit.elbo, error: fit.elbo_mcse})
''')
    # a Gamma prior and a Poisson count: negative binomial; the guide is the posterior given k
    terms = [math.log(p) + math.lgamma(a + 2) - math.lgamma(a) - math.log(2) + a * math.log(3 / 4) + 2 * math.log(1 / 4)
             for p, a in [(0.4, 2), (0.6, 4)]]
    if out:
        near('drawn: ELBO', out['elbo'], log_sum(terms), 1e-5), near('drawn: p', out['p'], softmax(terms)[1], 1e-4)


def batches():
    """A learned classifier on batches: classes at 1 and 3 make the log odds linear, so that it can be exact; new data too."""
    out = answer('batches', '''x = concat(draw(Normal(1, 1)[300]), draw(Normal(3, 1)[100]))
model m(x) { plate i in 1..len(x) { k[i] ~ Categorical([0.75, 0.25]); x[i] ~ Normal(2 * k[i] - 1, 1) } }
guide q(x) for m { plate i in 1..len(x) { k[i] ~ Categorical(logits = dense([x[i]], 2)) } }
fit = infer(m(x), q(x), discrete = {k: "sum"}, batch = {i: 40}, epochs = 300, optimizer = adam(0.02, schedule = cosine(0.01)))
d = fit.params.q.dense_1
write("out.json", {slope: d.w[1, 2] - d.w[1, 1], shift: d.b[2] - d.b[1], evidence: log_evidence(fit, m([2.0]), q([2.0]), samples = 10)})
''')
    if out:
        near('batches: slope of the log odds', out['slope'], 2, 0.03)
        near('batches: shift of the log odds', out['shift'], -4 - math.log(3), 0.06)
        near('batches: evidence', out['evidence'][0], log_sum([math.log(0.75) + normal(2, 1, 1), math.log(0.25) + normal(2, 3, 1)]), 0.05)


def impossible():
    """Values of probability 0 under both."""
    out = answer('impossible', '''model m { k ~ Categorical([0.4, 0, 0.6]); observe 1.0 ~ Normal(k, 1) }
guide q for m {
    param p: unit = 0.5
    k ~ Categorical([p, 0, 1 - p])
}
fit = infer(m, q, discrete = {k: "sum"}, ''' + SCHEDULE + ''')
write("out.json", {p: fit.params.q.p, elbo: fit.elbo})
''')
    if out:
        terms = [math.log(0.4) + normal(1, 1, 1), math.log(0.6) + normal(1, 3, 1)]
        near('impossible: ELBO', out['elbo'], log_sum(terms), 1e-6), near('impossible: p', out['p'], softmax(terms)[0], 1e-4)


def bits():
    """Replayed or walked, any number of threads."""
    text = MIXTURE + '''net encoder(x, k) = dense(tanh(dense(concat([x], one_hot(k, 3)), 5)), 1)[1]
guide q(x) for m {
    plate i in 1..len(x) {
        k[i] ~ Categorical(logits = dense([x[i]], 3))
        z[i] ~ Normal(encoder(x[i], k[i]), 1)
    }
}
fit = infer(m(x), q(x), discrete = {k: "sum"}, method = svi(ELBO(particles = 3)), batch = {i: 2}, steps = 50)
write("out.json", {params: fit.trace})
'''
    _, first, _, err = run(text)
    check('bits: runs', first, err)
    for name, (args, walk) in {'walked': ((), True), 'threads': (('--threads', '2'), False)}.items():
        check(f'bits: {name}', run(text, *args, walk=walk)[1] == first)


for test in [exact, value_and_gradient, chain, drawn, batches, impossible, bits]:
    test()
finish()
