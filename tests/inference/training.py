#!/usr/bin/env python3
"""Training: schedules, clipping, rates by path, weights of the KL term.

`factor -(a^2 + b^2) / 2` has the gradient (a, b), so that first steps can be worked out by hand.
"""
import math

from programs import check, finish, near, printed

EXACT = '\nfn digits(x) = str(floor(1e6 * x)) + " " + str(1e6 * x - floor(1e6 * x))\n'


def exact(text):
    """What digits(x) printed: print shows 6 digits of each half."""
    whole, rest = text.split()
    return (float(whole) + float(rest)) / 1e6


BOWL = '''
net first() { param a: real = 3
    a }
net second() { param b: real = 4
    b }
model m { factor -(first() ^ 2 + second() ^ 2) / 2 }
'''


def steps_of(options, n=1):
    """a and b after n steps, to the last digit."""
    code, prints, err = printed(BOWL + EXACT + f'''
fit = infer(m, steps = {n}, {options})
print(digits(fit.params.first.a))
print(digits(fit.params.second.b))''')
    check(options, code == 0 and len(prints) == 2, err)
    return [exact(p) for p in prints] if code == 0 else [math.nan] * 2


def first_steps():
    a, b = steps_of('optimizer = sgd(1, clip = 2.5)')
    near('clip: a', a, 1.5), near('clip: b', b, 2)
    a, b = steps_of('optimizer = sgd(1, clip = 50)')
    near('no clip: a', a, 0), near('no clip: b', b, 0)
    a, b = steps_of('optimizer = sgd(0.1), rates = {"first.*": 0.5}')
    near('rate of first', a, 1.5), near('rate of the others', b, 3.6)
    a, b = steps_of('optimizer = sgd(0.1), rates = {"*": 0.25, "second.b": 0, "sec*": 1}')
    near('the most letters: a', a, 2.25), near('rate 0 keeps', b, 4)
    a, b = steps_of('optimizer = sgd(0.1), rates = {"second.b": adam(0.125)}')
    near('own optimizer: a', a, 2.7), near('own optimizer: b', b, 4 - 0.125, 1e-8)
    a, b = steps_of('optimizer = sgd(0.5), rates = {"second.b": sgd(0.5, clip = 1)}')
    near('own clip: a', a, 1.5), near('own clip: b', b, 3.5)


def schedules():
    """Products of 1 - rate * factor."""
    cases = {
        'warmup(4)': lambda t: min(1, t / 4),
        'linear(1, 0.5, 4)': lambda t: 1 - 0.5 * min(1, (t - 1) / 4),
        'cosine(0.1, warmup = 2)': lambda t: t / 2 if t <= 2 else 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (t - 2) / 6)),
        'cosine()': lambda t: 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * t / 8)),
        'exponential(0.5)': lambda t: 0.5 ** (t / 8),
        'exponential(0.5, warmup = 3)': lambda t: t / 3 if t <= 3 else 0.5 ** ((t - 3) / 5),
    }
    for text, factor in cases.items():
        a, _ = steps_of(f'optimizer = sgd(0.1, schedule = {text})', 8)
        near(text, a, 3 * math.prod(1 - 0.1 * factor(t) for t in range(1, 9)))


def many_steps():
    """Adam, AdamW, RMSprop and momentum over 50 steps against their formulas; clipping before."""
    def adam(x, rate, decay, n=50):
        m = v = 0
        for t in range(1, n + 1):
            m, v = 0.9 * m + 0.1 * x, 0.999 * v + 0.001 * x * x
            x -= rate * (m / (1 - 0.9 ** t) / (math.sqrt(v / (1 - 0.999 ** t)) + 1e-8) + decay * x)
        return x
    def rmsprop(x, n=50):
        v = 0
        for t in range(1, n + 1):
            v = 0.9 * v + 0.1 * x * x
            x -= 0.01 * x / (math.sqrt(v / (1 - 0.9 ** t)) + 1e-8)
        return x
    def sgd(x, n=50):
        s = 0
        for t in range(n):
            s = 0.8 * s + x
            x -= 0.01 * s
        return x
    a, b = steps_of('optimizer = adam(0.02)', 50)
    near('adam: a', a, adam(3, 0.02, 0)), near('adam: b', b, adam(4, 0.02, 0))
    near('adamw', steps_of('optimizer = adamw(0.02, weight_decay = 0.1)', 50)[1], adam(4, 0.02, 0.1))
    near('rmsprop', steps_of('optimizer = rmsprop(0.01)', 50)[0], rmsprop(3))
    near('momentum', steps_of('optimizer = sgd(0.01, momentum = 0.8)', 50)[0], sgd(3))
    x, y = 3, 4
    for _ in range(50):
        cut = min(1, 2 / math.hypot(x, y))
        x, y = x - 0.1 * cut * x, y - 0.1 * cut * y
    a, b = steps_of('optimizer = sgd(0.1, clip = 2)', 50)
    near('clipped: a', a, x), near('clipped: b', b, y)


WEIGHED = '''
data y = [1.0, 3.0]
model m { mu ~ Normal(0, 1)
    plate i in 1..2 { y[i] ~ Normal(mu, 1) } }
guide q for m { param l: real = 0.5
    param s: positive = 1
    mu ~ Normal(l, s) }
fit = infer(m, q, method = svi(ELBO(particles = 20, kl_weight = WEIGHT)), steps = 1500, optimizer = adam(0.03, schedule = cosine()))
print(digits(fit.params.q.l))
print(digits(fit.params.q.s))
print(digits(fit.trace[1]))
'''


def kl_weights():
    """With weight w the optimum is that of n / w times the data: precision 2 / w + 1."""
    w = 0.5
    loc, scale = 4 / w / (2 / w + 1), 1 / math.sqrt(2 / w + 1)
    fits = {}
    for text in ['0.5', 'linear(4, 0.5, 300)', 'linear(0, 0.5, 300)', 'linear(0.5, 0.5, 1)']:
        code, prints, err = printed(EXACT + WEIGHED.replace('WEIGHT', text))
        check('kl: ' + text, code == 0, err)
        if code:
            continue
        l, s, first = fits[text] = [exact(p) for p in prints]
        near(f'kl {text}: loc', l, loc, 0.01), near(f'kl {text}: scale', s, scale, 0.01)
    if len(fits) == 4:
        check('a weight that stays is a constant', all(abs(a - b) < 1e-8 for a, b in zip(fits['0.5'], fits['linear(0.5, 0.5, 1)'])), fits)
        check('the first step has the first weight', fits['linear(0, 0.5, 300)'][2] != fits['linear(4, 0.5, 300)'][2], fits)
    scored = '''
data y = [1.0, 3.0, 2.5]
model m { k ~ Poisson(2)
    plate i in 1..3 { y[i] ~ Normal(k, 1) } }
guide q for m { param l: positive = 2
    k ~ Poisson(l) }
fit = infer(m, q, method = svi(ELBO(particles = 4, kl_weight = linear(0, 2, 20))), steps = 60, draws = 10)
print(fit.params.q.l)
print(fit.trace)'''
    tape, walk = printed(scored), printed(scored, walk=True)
    check('kl schedule with scores: tape and tree agree', tape[0] == 0 and tape[1] == walk[1], tape[2])


def messages():
    for options, words in [
        ('rates = {"frist.*": 1}', ['no learned parameter matches "frist.*"', 'did you mean "first.*"']),
        ('rates = {"first.aa": 1}', ['did you mean "first.a"']),
        ('rates = {"q.loc": 1}', ['they are: first.a, second.b']),
        ('rates = {"first.*": -1}', ['a rate must be from 0']),
        ('rates = 3', ['a record of paths']),
        ('optimizer = adam(clip = 0)', ["limit of the gradient's norm"]),
        ('optimizer = adam(schedule = 3)', ['a schedule was expected']),
    ]:
        code, _, err = printed(BOWL + f'infer(m, steps = 10, {options})')
        check(options, code == 1 and all(w in err for w in words), err)
    for options in ['optimizer = adam(schedule = cosine())', 'method = svi(ELBO(kl_weight = linear(0, 1, 10)))']:
        code, _, err = printed(BOWL + f'infer(m, {options})')
        check(options, code == 1 and 'say `steps` or `epochs`' in err, err)


first_steps(), schedules(), many_steps(), kl_weights(), messages()
finish()
