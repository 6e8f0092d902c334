#!/usr/bin/env python3
"""Discrete latents that the automatic part of a guide draws: sums that cost too much give way to the score function, the
rest is still summed out. Against exact sums, the best independent probabilities, and what the data were made of."""
import itertools
import math

from answers import log_sum, normal
from programs import answer, check, finish, near, run

SCHEDULE = 'steps = 4000, optimizer = adam(0.05, schedule = cosine(0.01))'


def notes_of(text, *args):
    code, _, _, err = run(text, *args)
    return code, err


def independent_elements():
    """Nothing joins the elements: independent probabilities can be exact, and the ELBO is then the evidence."""
    x = [0.3, 2.0, 5.1, 1.2]
    prior = [0.5, 0.3, 0.2]
    program = f'''data x = {x}
model m(x) {{
    plate i in 1..len(x) {{
        k[i] ~ Categorical({prior})
        x[i] ~ Normal(k[i], 1)
    }}
}}
'''
    joint = [[math.log(prior[k]) + normal(v, k + 1, 1) for k in range(3)] for v in x]
    evidence = sum(map(log_sum, joint))
    for name, options in (('as asked for', ''), ('in batches', 'batch = {i: 2}, ')):
        got = answer(name, program + f'''fit = infer(m(x), discrete = {{k: "score"}}, {options}{SCHEDULE}, draws = 2000)
write("out.json", {{elbo: fit.elbo, logits: fit.params.automatic.k.logits}})
''')
        if not got:
            continue
        if not options:
            near(f'{name}: the ELBO', got['elbo'], evidence, 0.003)
        for i, logits in enumerate(got['logits']):
            for k in range(3):
                near(f'{name}: k[{i + 1}] = {k + 1}', math.exp(logits[k] - log_sum(logits)), math.exp(joint[i][k] - log_sum(joint[i])),
                     0.02 if not options else 0.06)


def impossible_values():
    """What the prior gives probability 0, always or after the step before, is not drawn: the bound is finite, and below the
    evidence; where elements are independent, it is the evidence."""
    x, prior, step = [0.3, 2.0, 2.9, 1.2], [0.5, 0, 0.5], [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]
    text = f'''data x = {x}
T = {step}
model m {{ plate i in 1..4 {{ k[i] ~ Categorical({prior})
        x[i] ~ Normal(k[i], 1) }} }}
fit = infer(m, discrete = {{k: "score"}}, {SCHEDULE}, draws = 2000)
model chain {{ k[1] ~ Categorical({prior})
    x[1] ~ Normal(k[1], 1)
    for i in 2..4 {{ k[i] ~ Categorical(T[k[i - 1]])
        x[i] ~ Normal(k[i], 1) }} }}
steps = infer(chain, discrete = {{k: "score"}}, {SCHEDULE}, draws = 2000)
write("out.json", {{elbo: fit.elbo, k: sum(fit.k == 2), chain: steps.elbo, draws: steps.k}})
'''
    got = answer('impossible values', text)
    if not got:
        return
    near('impossible values: the ELBO', got['elbo'], sum(log_sum([math.log(0.5) + normal(v, k, 1) for k in (1, 3)]) for v in x), 0.003)
    check('impossible values: none is drawn', got['k'] == 0, got['k'])
    ways = [(p, prior[p[0]] * math.prod(step[a][b] for a, b in zip(p, p[1:]))) for p in itertools.product(range(3), repeat=4)]
    evidence = log_sum([math.log(w) + sum(normal(v, k + 1, 1) for v, k in zip(x, p)) for p, w in ways if w > 0])
    check('impossible steps: the bound', evidence - 1 < got['chain'] < evidence + 0.01, (got['chain'], evidence))
    possible = {p for p, w in ways if w > 0}
    check('impossible steps: none is drawn', {tuple(int(k) - 1 for k in d) for d in got['draws']} <= possible)


def with_the_rest():
    """A continuous latent beside it has its automatic guide; no bound exceeds the evidence."""
    x, grid = [-1.9, 2.3, 1.8], [k / 100 for k in range(-600, 601)]
    by_grid = [normal(m, 0, 2) + sum(log_sum([math.log(0.5) + normal(v, m, 1), math.log(0.5) + normal(v, -m, 1)]) for v in x) for m in grid]
    evidence = log_sum(by_grid) + math.log(0.01)
    got = answer('a guide for both', f'''data x = {x}
model m(x) {{
    mu ~ Normal(0, 2)
    plate i in 1..len(x) {{
        s[i] ~ Bernoulli(0.5)
        x[i] ~ Normal(if s[i] == 1 {{ mu }} else {{ -mu }}, 1)
    }}
}}
fit = infer(m(x), discrete = {{s: "score"}}, {SCHEDULE})
write("out.json", {{elbo: fit.elbo, mu: abs(mean(fit.mu)), s: mean(fit.s, 1)}})
''')
    if got:
        check('a guide for both: a bound', evidence - 0.8 < got['elbo'] < evidence + 0.02, f'{got["elbo"]} of {evidence}')
        near('a guide for both: mu', got['mu'], 1.9, 0.15)
        check('a guide for both: signs', abs(got['s'][0] - got['s'][1]) > 0.9 and abs(got['s'][1] - got['s'][2]) < 0.1, got['s'])


def crossing():
    """Either of two crossed plates can be summed out given the other: the one with more elements gives way."""
    program = '''a0 = draw(Bernoulli(0.5)[20])
b0 = draw(Bernoulli(0.5)[30])
Y = zeros(20, 30)
for i in 1..20 { for j in 1..30 { Y[i, j] = a0[i] + 2 * b0[j] + draw(Normal(0, 0.7)) } }
data y = Y
model m {
    sd ~ HalfNormal(2)
    plate i in 1..20 { a[i] ~ Bernoulli(0.5) }
    plate j in 1..30 { b[j] ~ Bernoulli(0.5) }
    plate i in 1..20, j in 1..30 { y[i, j] ~ Normal(a[i] + 2 * b[j], sd) }
}
fit = infer(m)
write("out.json", {a: fit.a, b: mean(fit.b, 1), a0: a0, b0: b0, sd: mean(fit.sd)})
print(fit)
'''
    code, got, prints, err = run(program)
    check('crossing: runs', code == 0, err)
    if code:
        return
    # of a 0/1 variable that is summed out: the probability of 1 is its second
    a = [p[1] for p in got['a']]
    check('crossing: a', all(abs(p - q) < 0.1 for p, q in zip(a, got['a0'])), (a, got['a0']))
    check('crossing: b', all(abs(p - q) < 0.1 for p, q in zip(got['b'], got['b0'])), (got['b'], got['b0']))
    near('crossing: sd', got['sd'], 0.7, 0.06)
    shown = prints[-1]
    check('crossing: a is summed out', 'a[i] summed out: 2 values x 20' in shown, shown)
    check('crossing: b is not', 'b[1..30] drawn and learned by the score function, its sum costs too much' in shown, shown)


def best_independent(weight):
    """Coordinate ascent on sum_{t<s} weight z_t z_s + log N(3.5; z_3, 1), ten variables over 1..10 (Goodfellow et al., 19.4.1)."""
    n = K = 10
    values = range(1, K + 1)
    q = [[(1 + 0.1 * k + 0.01 * t) for k in values] for t in range(n)]
    q = [[v / sum(row) for v in row] for row in q]
    mean = lambda row: sum(p * v for p, v in zip(row, values))
    own = lambda t, v: normal(3.5, v, 1) if t == 2 else 0.0
    for _ in range(500):
        for t in range(n):
            others = sum(mean(q[s]) for s in range(n) if s != t)
            logits = [own(t, v) + weight * v * others for v in values]
            total = log_sum(logits)
            q[t] = [math.exp(a - total) for a in logits]
    elbo = sum(weight * mean(q[t]) * mean(q[s]) for t, s in itertools.combinations(range(n), 2))
    elbo += sum(p * (own(t, v) - math.log(K) - math.log(p)) for t in range(n) for p, v in zip(q[t], values) if p > 0)
    return elbo, [mean(row) for row in q]


def clique():
    """All meet all: what costs too much shows only when it is summed. Nothing else is latent."""
    elbo, means = best_independent(0.01)
    got = answer('clique', '''model m {
    for t in 1..10 { z[t] ~ Categorical(ones(10) / 10) }
    for t in 1..9 { for s in (t+1)..10 { factor 0.01 * z[t] * z[s] } }
    observe 3.5 ~ Normal(z[3], 1)
}
fit = infer(m)
write("out.json", {elbo: fit.elbo, z: mean(fit.z, 1)})
''')
    if got:
        near('clique: the ELBO', got['elbo'], elbo, 0.03)
        for t in range(10):
            near(f'clique: z[{t + 1}]', got['z'][t], means[t], 0.15)


def bits():
    program = '''model m(y) {
    mu ~ Normal(0, 1)
    plate j in 1..30 { z[j] ~ Bernoulli(0.3) }
    w = linspace(0, 1, 30)
    plate n in 1..len(y) { y[n] ~ Normal(mu + exp(sum(z * w) / 5), 1) }
}
fit = infer(m([7.0, 8, 9.5]), steps = 30, draws = 20)
write("out.json", {mu: fit.mu, z: fit.z, elbo: fit.elbo})
'''
    first = run(program)
    check('bits: runs', first[0] == 0, first[3])
    check('bits: the tree walked', first[1] == run(program, walk=True)[1])
    check('bits: two threads', first[1] == run(program, '--threads', '2')[1])


def still_refused():
    model = '''data y = 3.5
model m {
    plate i in 1..40 { z[i] ~ Bernoulli(0.5) }
    y ~ Normal(sum(z), 1)
}
'''
    for call in ('infer(m, method = map())', 'guide q for m { }\ninfer(m, q)'):
        code, err = notes_of(model + call + '\n')
        check(f'refused: {call}', code == 1 and 'an array is read as a whole whose elements are to be summed out' in err, err)
    code, err = notes_of('data y = 3.5\nmodel m { k ~ Poisson(3); y ~ Normal(k, 1) }\ninfer(m, discrete = {k: "score"})\n')
    check('refused: no finite support', code == 1 and 'no guide draws it' in err, err)


for part in (independent_elements, impossible_values, with_the_rest, crossing, clique, bits, still_refused):
    part()
finish()
