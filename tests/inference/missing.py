#!/usr/bin/env python3
"""Missing elements of observations that a hand-written guide draws: for all elements at once, one by one, in a loop; against
conditional normals and evidences."""
import math

from programs import check, finish, near, numbers, printed

CHAIN = '''data y = [0.5, missing, -0.3, missing, missing, 2.2]
model m { y[1] ~ Normal(0, 1)
    for t in 2..6 { y[t] ~ Normal(0.9 * y[t - 1], 0.5) } }
guide q for m { param a: real[6]
    param b: positive[6]
    AROUND t in 1..6 { BEFORE
        y[t] ~ Normal(a[t], b[t]) } }
fit = infer(m, q, steps = 2000, optimizer = adam(0.03), draws = 500)
print(fit.params.q.a[2], fit.params.q.a[4], fit.params.q.a[5], fit.params.q.b[2], fit.params.q.b[4])
print(fit.elbo, fit.params.q.a, mean(fit.y[:, 2]))
'''


def chain():
    """A guide of independent normals has the exact means, and the conditional standard deviations."""
    want = [0.18 / 1.81, 0.524459, 1.354706, 0.5 / math.sqrt(1.81), 0.5 / math.sqrt(1.81)]
    runs = []
    for around, before in [('plate', ''), ('plate', 'n = 0; while n < t { n = n + 1 }'), ('for', '')]:
        code, prints, err = printed(CHAIN.replace('AROUND', around).replace('BEFORE', before))
        check(f'chain, {around} {before}: runs', code == 0, err)
        for value, exact in zip(numbers(prints[0]) if code == 0 else [], want):
            near(f'chain, {around} {before}', value, exact, 0.03)
        runs.append(prints[1:])
    check('chain: at once and one by one', runs[0] == runs[1] == runs[2], runs)


NORMALS = '''data y = [0.5, missing, -0.3, missing, 2.2]
model m(y) { mu ~ Normal(0, 1)
    plate i in 1..len(y) { y[i] ~ Normal(mu, 1) } }
guide q(y) for m { param a: real = 0.6
    param b: positive = 0.5
    mu ~ Normal(a, b)
    plate i in 1..len(y) { y[i] ~ Normal(mu, 1) } }
fit = infer(m(y), q(y), steps = 2000, OPTIONS)
print(fit.elbo, fit.elbo_mcse)
print(mean(fit.y))
print(posterior(fit, q(y)).y[[1, 3, 5]], sd(posterior(fit, q(y), 4000).y[:, 2]))
'''


def unread():
    """Elements that nothing else depends on may be drawn as well: then the bound is the same."""
    evidence = -1.5 * math.log(2 * math.pi) - 0.5 * math.log(4) - 0.5 * (0.25 + 0.09 + 4.84 - 2.4 ** 2 / 4)
    for options, within in [('seed = 1', 0.01), ('seed = 1, method = svi(objective = ELBO(analytic_kl = true))', 0.01),
                            ('seed = 1, method = svi(objective = IWAE(4))', 0.01)]:
        code, prints, err = printed(NORMALS.replace('OPTIONS', options))
        check(f'unread, {options}: runs', code == 0, err)
        if code:
            continue
        near(f'unread, {options}: the bound', numbers(prints[0])[0], evidence, within)
        near(f'unread, {options}: completed', numbers(prints[1])[0], (2.4 + 2 * 0.6) / 5, 0.03)
        a, b, c, sd = numbers(prints[2])
        check(f'unread, {options}: data stay', (a, b, c) == (0.5, -0.3, 2.2), prints[2])
        near(f'unread, {options}: sd', sd, math.sqrt(1.25), 0.05)
    one, two = [printed(NORMALS.replace('OPTIONS', 'seed = 2'), walk=w) for w in (False, True)]
    check('unread: tape and tree', one[0] == 0 and one[1] == two[1], (one, two))


def by_element():
    """The bound by element, the missing ones with evidence 1; counts by the score function; an automatic part beside it."""
    code, prints, err = printed('''data y = [0.5, missing, -0.3]
model m(y) { plate t in 1..len(y) { z[t] ~ Normal(0, 1); y[t] ~ Normal(z[t], 1) } }
guide q(y) for m { plate t in 1..len(y) { there = is_observed(y[t])
    z[t] ~ Normal(where(there, y[t] / 2, 0), where(there, sqrt(0.5), 1))
    y[t] ~ Normal(z[t], 1) } }
fit = infer(m(y), q(y), steps = 10)
print(elbo(fit, m(y), q(y), samples = 50))
''')
    check('by element: runs', code == 0, err)
    for value, exact in zip(numbers(prints[0]) if code == 0 else [],
                            [-0.25 * x * x - 0.5 * math.log(4 * math.pi) if x else 0 for x in (0.5, 0, -0.3)]):
        near('by element', value, exact, 1e-5)
    code, prints, err = printed('''data y = [3, missing, 5, missing]
model m { plate i in 1..4 { y[i] ~ Poisson(2) }
    observe sum(y) ~ Normal(12, 0.5) }
guide q for m { plate i in 1..4 { param l: positive = 3
    y[i] ~ Poisson(l) } }
print(infer(m, q, steps = 1500, draws = 500).params.q.l)
model n { mu ~ Normal(0, 1)
    plate i in 1..4 { y[i] ~ Normal(mu + 3, 1) }
    observe sum(y) ~ Normal(12, 0.1) }
guide r for n with auto_normal() { plate i in 1..4 { param l: real
    param s: positive
    y[i] ~ Normal(l, s) } }
fit = infer(n, r, steps = 1500, draws = 500)
print(mean(fit.y[:, 2] + fit.y[:, 4]), mean(fit.mu))
''')
    check('counts: runs', code == 0, err)
    if code == 0:
        drawn = numbers(prints[0])
        check('counts', drawn[0] == drawn[2] == 3 and abs(drawn[1] - drawn[3]) < 0.3 and 1.4 < drawn[1] < 2.2, drawn)
        near('with an automatic part', numbers(prints[1])[0], 4, 0.1)


def mistakes():
    for name, text, word in [
            ('nothing is missing', 'data y = [1, 2]\nmodel m { a ~ Normal(0, 1)\n plate i in 1..2 { y[i] ~ Normal(a, 1) } }\n'
             'guide q for m { a ~ Normal(0, 1)\n plate i in 1..2 { y[i] ~ Normal(a, 1) } }\ninfer(m, q)', 'elements that are missing'),
            ('some are left out', 'data y = [1, missing, missing]\nmodel m { y[1] ~ Normal(0, 1)\n y[2] ~ Normal(y[1], 1)\n'
             ' y[3] ~ Normal(y[2], 1) }\nguide q for m { y[2] ~ Normal(0, 1) }\ninfer(m, q)', 'draws `y[2]`, the model `y[3]`'),
            ('as a whole', 'data y = [1, missing]\nmodel m { y ~ Normal(0, 1)[2] }\nguide q for m { y ~ Normal(0, 1)[2] }\n'
             'infer(m, q)', 'element by element')]:
        code, _, err = printed(text)
        check(f'mistake, {name}', code == 1 and word in err, (code, err))


chain(), unread(), by_element(), mistakes()
finish()
