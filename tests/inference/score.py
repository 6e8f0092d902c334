#!/usr/bin/env python3
"""The score function's gradient: unbiased, and less noisy with a baseline.

One step of plain gradient ascent from a known parameter shows one estimate of the gradient; its mean over many seeds is compared
with the exact derivative of the ELBO (a sum over all values) at 5 standard errors, its spread between baselines.
"""
import json, math, os, subprocess, sys, tempfile

PPL = os.environ.get('PPL', os.path.join(os.path.dirname(__file__), '..', '..', 'ppl'))
passed = failed = 0


def check(name, ok, why=''):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print(f'FAIL {name}: {why}')


def estimates(model, guide, start, baseline, particles, n):
    text = f'''{model}
{guide}
for s in 1..{n} {{
    fit = infer(m, q, steps = 1, draws = 1, seed = s, optimizer = sgd(1),
                method = svi(objective = ELBO(particles = {particles}), baseline = "{baseline}"))
    g[s] = fit.params.q.u - {start}
}}
write("OUT", {{g: g}})
'''
    with tempfile.TemporaryDirectory() as d:
        with open(f'{d}/m.ppl', 'w') as f:
            f.write(text.replace('OUT', f'{d}/g.json'))
        done = subprocess.run([PPL, 'run', '--quiet', '--json', f'{d}/m.ppl'], capture_output=True, text=True, timeout=300)
        if done.returncode:
            return None, done.stderr
        return json.load(open(f'{d}/g.json'))['g'], ''


def normal(x, m):
    return -0.5 * (x - m) ** 2 - 0.5 * math.log(2 * math.pi)


def bernoulli_elbo(u):
    q = 1 / (1 + math.exp(-u))
    return sum(w * (math.log(p) + normal(1.2, 2 * z) - math.log(w)) for z, w, p in ((0, 1 - q, 0.7), (1, q, 0.3)))


def poisson_elbo(u):
    rate, total = math.exp(u), 0
    for k in range(80):
        log_q = k * u - rate - math.lgamma(k + 1)
        log_p = k * math.log(3) - 3 - math.lgamma(k + 1) + normal(4.0, k)
        total += math.exp(log_q) * (log_p - log_q)
    return total


def plate_elbo(u):
    q = 1 / (1 + math.exp(-u))
    return sum(w * (math.log(p) + normal(x, z) - math.log(w)) for x in (0.3, 1.4, -0.5, 2.0)
               for z, w, p in ((0, 1 - q, 0.5), (1, q, 0.5)))


CASES = [
    ('bernoulli', 'model m { z ~ Bernoulli(0.3); observe 1.2 ~ Normal(2 * z, 1) }',
     'guide q for m { param u: real = 0.4; z ~ Bernoulli(logits = u) }', 0.4, bernoulli_elbo),
    ('poisson', 'model m { k ~ Poisson(3); observe 4.0 ~ Normal(k, 1) }',
     'guide q for m { param u: real = 0.9; k ~ Poisson(exp(u)) }', 0.9, poisson_elbo),
    ('plate', 'data x = [0.3, 1.4, -0.5, 2.0]\nmodel m { plate i in 1..4 { z[i] ~ Bernoulli(0.5); x[i] ~ Normal(z[i], 1) } }',
     'guide q for m { param u: real = 0.2; plate i in 1..4 { z[i] ~ Bernoulli(logits = u) } }', 0.2, plate_elbo),
]

N = 1500
for name, model, guide, start, elbo in CASES:
    exact = (elbo(start + 1e-5) - elbo(start - 1e-5)) / 2e-5
    spread = {}
    for baseline in ('loo', 'none'):
        g, why = estimates(model, guide, start, baseline, 4, N)
        check(f'{name}, {baseline}: runs', g is not None, why)
        if g is None:
            continue
        mean = sum(g) / N
        spread[baseline] = sum((x - mean) ** 2 for x in g) / (N - 1)
        error = math.sqrt(spread[baseline] / N)
        check(f'{name}, {baseline}: unbiased', abs(mean - exact) < 5 * error, f'{mean} +- {error}, exact {exact}')
    if len(spread) == 2:
        check(f'{name}: the baseline helps', spread['loo'] < spread['none'], f'{spread}')

print(f'{passed} passed, {failed} failed')
sys.exit(failed > 0)
