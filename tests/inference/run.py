#!/usr/bin/env python3
"""Inference against answers that are known: conjugate models, evidences, estimators that must agree.

Each case is a program and what its fits and prints must come to; the second part runs programs twice, with the tape and
walking the tree at every step (PPL_WALK=1), with 1, 2 and 4 threads, and with another seed.
"""
import json, math, os, re, subprocess, tempfile

from programs import PPL, check, finish, near

HERE = os.path.dirname(os.path.abspath(__file__))
ACCEPTANCE = os.path.join(HERE, '..', '..', '..', 'shared', 'acceptance')


def run(text, *args, walk=False, cwd=None):
    """Exit code, fits, prints, standard error."""
    with tempfile.NamedTemporaryFile('w', suffix='.ppl', dir=cwd, delete=False) as f:
        f.write(text)
    env = dict(os.environ, PPL_WALK='1') if walk else dict(os.environ)
    try:
        done = subprocess.run([PPL, 'run', '--json', *args, f.name], text=True, capture_output=True, env=env,
                              timeout=300, cwd=cwd)
    finally:
        os.unlink(f.name)
    lines = [json.loads(l) for l in done.stdout.splitlines() if l.strip()]
    fits, prints = [l['fit'] for l in lines if 'fit' in l], [l['print'] for l in lines if 'print' in l]
    return done.returncode, fits, prints, done.stderr


NORMAL = '''
data x = [1.0, 2.0, 0.5, 1.2]
model m {
    mu ~ Normal(0, 1)
    plate n in 1..len(x) { x[n] ~ Normal(mu, 1) }
}
guide q for m {
    param loc = 0
    param scale: positive = 1
    mu ~ Normal(loc, scale)
}
'''
NORMAL_EVIDENCE = (-2 * math.log(2 * math.pi) - 0.5 * math.log(5) - 0.5 * (1 + 4 + 0.25 + 1.44 - 4.7 ** 2 / 5))


def normal_mean():
    """Normal mean, known variance: the posterior is N(0.94, 1/5)."""
    for how in ['infer(m)', 'infer(m, q)', 'infer(m, q, steps = 3000, optimizer = adam(0.02))', 'infer(m, auto_normal())',
                'infer(m, auto_mvn(), steps = 500)', 'infer(m, auto_low_rank(1), steps = 2000)', 'infer(m, method = laplace())',
                'infer(m, method = svi(objective = ELBO(particles = 3)))',
                'infer(m, q, method = importance(20000), steps = 5)', 'infer(m, method = importance(100000))']:
        code, fits, _, err = run(NORMAL + how)
        check(how, code == 0 and len(fits) == 1, err)
        if code:
            continue
        f = fits[0]
        near(how + ' mean', f['variables']['mu']['mean'], 0.94, 0.03)
        near(how + ' sd', f['variables']['mu']['sd'], math.sqrt(0.2), 0.02)
        near(how + ' evidence', f['elbo'] if 'importance' not in how else f['log_evidence'], NORMAL_EVIDENCE, 0.02)
    code, fits, _, err = run(NORMAL + 'infer(m, method = map())')
    near('map', fits[0]['variables']['mu']['mean'], 0.94, 1e-6)
    near('map density', fits[0]['log_density'], NORMAL_EVIDENCE + 0.5 * math.log(5) - 0.5 * math.log(2 * math.pi), 1e-6)


def other_conjugates():
    # Gamma-Poisson: Gamma(2 + 19, 1 + 6)
    code, fits, _, err = run('''
data k = [3, 1, 4, 1, 5, 5]
model m { rate ~ Gamma(2, 1); plate n in 1..6 { k[n] ~ Poisson(rate) } }
guide q for m { param a: positive = 2; param b: positive = 1; rate ~ Gamma(a, b) }
infer(m, q, steps = 4000, optimizer = adam(0.02))
infer(m)
infer(m, method = map())''')
    check('gamma-poisson', code == 0, err)
    if code == 0:
        counts = sum(math.lgamma(i + 1) for i in [3, 1, 4, 1, 5, 5])
        evidence = math.lgamma(21) - math.lgamma(2) - 21 * math.log(7) - counts
        near('gamma-poisson exact', fits[0]['elbo'], evidence, 0.005)
        near('gamma-poisson mean', fits[0]['variables']['rate']['mean'], 3, 0.05)
        near('gamma-poisson sd', fits[0]['variables']['rate']['sd'], math.sqrt(21) / 7, 0.03)
        near('gamma-poisson auto', fits[1]['variables']['rate']['mean'], 3, 0.1)
        near('gamma-poisson map', fits[2]['variables']['rate']['mean'], 20 / 7, 1e-5)
    # Dirichlet-categorical: Dirichlet(1 + counts)
    code, fits, _, err = run('''
data k = [1, 2, 2, 3, 3, 3, 3, 1]
model m { p ~ Dirichlet([1, 1, 1]); plate n in 1..8 { k[n] ~ Categorical(p) } }
infer(m)
infer(m, method = map())
infer(m, method = importance(50000))''')
    check('dirichlet', code == 0, err)
    if code == 0:
        for i, mean in enumerate([3 / 11, 3 / 11, 5 / 11]):
            near('dirichlet svi', fits[0]['variables']['p']['mean'][i], mean, 0.02)
            near('dirichlet importance', fits[2]['variables']['p']['mean'][i], mean, 0.01)
        for i, mode in enumerate([2 / 8, 2 / 8, 4 / 8]):
            near('dirichlet map', fits[1]['variables']['p']['mean'][i], mode, 1e-4)
        evidence = math.lgamma(3) - math.lgamma(11) + math.lgamma(3) * 2 + math.lgamma(5)
        near('dirichlet evidence', fits[2]['log_evidence'], evidence, 0.01)


def discrete_guide():
    """A Bernoulli latent: p(k = 1 | x) by Bayes; the guide's draw has no gradient."""
    code, fits, _, err = run('''
data x = 0.8
model m { k ~ Bernoulli(0.3); x ~ Normal(2 * k, 1) }
guide q for m { param p: unit = 0.5; k ~ Bernoulli(p) }
infer(m, q)
infer(m, q, method = svi(objective = ELBO(particles = 4)), steps = 2000, optimizer = adam(0.02))''')
    check('discrete', code == 0, err)
    density = lambda k: (0.3 if k else 0.7) * math.exp(-0.5 * (0.8 - 2 * k) ** 2) / math.sqrt(2 * math.pi)
    for f in fits:
        near('discrete posterior', f['variables']['k']['mean'], density(1) / (density(0) + density(1)), 0.03)
        near('discrete evidence', f['elbo'], math.log(density(0) + density(1)), 0.001)


def partly_written():
    code, fits, _, err = run('''
data x = [0.3, 1.1, 0.2]
model m {
    mu ~ Normal(0, 2)
    s ~ HalfNormal(1)
    plate i in 1..3 { z[i] ~ Normal(mu, s); x[i] ~ Normal(z[i], 0.5) }
    gap := z[1] - z[2]
}
guide q for m with auto_mvn() { param a = 0; param b: positive = 1; mu ~ Normal(a, b) }
guide all(k) for m {
    param a = 0
    param b: positive = 1
    mu ~ Normal(a, b)
    param c = 0
    s ~ LogNormal(c, 0.5)
    plate i in 1..3 { param l = 0; param t: positive = k; z[i] ~ Normal(l, t) }
}
f = infer(m, q)
g = infer(m, all(0.5))
h = infer(m, method = importance(200000))
print(shape(f.z), shape(f.gap), shape(g.params.all.l))
print(log_evidence(f, samples = 20000), log_evidence(g, samples = 20000), h.log_evidence)
''')
    check('partly written', code == 0 and len(fits) == 3, err)
    if code == 0:
        near('partly written mean', fits[0]['variables']['mu']['mean'], fits[2]['variables']['mu']['mean'], 0.1)
        check('shapes', len(fits) == 3)
        e = [float(v) for v in re.findall(r'-?\d+\.\d+', _[1])]
        # heavy tails: from below
        check('evidences agree', abs(e[2] + 4.1) < 0.05 and all(-4.6 < x < -4.05 for x in e), e)
        check('shapes of draws', _[0] == '[4000, 3] [4000] [3]', _[0])


def forward():
    code, _, prints, err = run(NORMAL + '''
f = infer(m, q)
s = simulate(m, 2000)
print(mean(s.mu), sd(s.mu), shape(s.x), sd(s.x[:, 1]))
p = predict(f, m)
print(mean(p.x), sd(p.x[:, 2]))
print(mean(posterior(f, q, 4000).mu))
print(elbo(f, m, q, samples = 4000), log_evidence(f, m, q))
one = simulate(m)
print(shape(one.x), shape(posterior(f, q).mu))
print(logpdf(m, {mu: 0.5}), unconstrained_logpdf(m, [0.5]), unconstrained_gradient(m, [0.5]))
''')
    check('forward', code == 0, err)
    if code:
        return
    v = [[float(x) for x in re.findall(r'-?\d+\.?\d*(?:e-?\d+)?', p)] for p in prints]
    near('prior mean', v[0][0], 0, 0.1)
    near('prior sd', v[0][1], 1, 0.06)
    near('prior predictive sd', v[0][4], math.sqrt(2), 0.08)
    near('predictive mean', v[1][0], 0.94, 0.05), near('predictive sd', v[1][1], math.sqrt(1.2), 0.05)
    near('posterior mean', v[2][0], 0.94, 0.03)
    near('elbo on data', v[3][0], NORMAL_EVIDENCE, 0.001), near('evidence on data', v[3][1], NORMAL_EVIDENCE, 0.001)
    check('shapes of one run', prints[4] == '[4] []', prints[4])
    x = [1.0, 2.0, 0.5, 1.2]
    joint = -2.5 * math.log(2 * math.pi) - 0.5 * 0.25 - 0.5 * sum((a - 0.5) ** 2 for a in x)
    near('logpdf', v[5][0], joint, 1e-4)
    near('unconstrained', v[5][1], joint, 1e-4)
    near('gradient', v[5][2], -0.5 + sum(a - 0.5 for a in x), 1e-4)


def local_elbos():
    """One latent per element: elbo and log_evidence come per element."""
    code, _, prints, err = run('''
data x = [0.3, -1.0, 2.0]
model m(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q(x) for m {
    param w = 0
    param s: positive = 1
    plate i in 1..len(x) { z[i] ~ Normal(w * x[i], s) }
}
f = infer(m(x), q(x), steps = 3000, optimizer = adam(0.02))
new = [0.0, 1.0, -2.0, 3.0]
print(shape(elbo(f, m(new), q(new))))
print(elbo(f, m(new), q(new), samples = 1000))
print(log_evidence(f, m(new), q(new), samples = 100))
print(shape(posterior(f, q(new)).z), shape(posterior(f, q(new), 7).z))
''')
    check('local', code == 0, err)
    if code:
        return
    check('local shape', prints[0] == '[4]', prints[0])
    check('posterior shapes', prints[3] == '[4] [7, 4]', prints[3])
    for p in prints[1:3]:
        for value, x in zip([float(t) for t in re.findall(r'-?\d+\.\d+', p)], [0, 1, -2, 3]):
            near('local evidence', value, -0.5 * math.log(4 * math.pi) - x * x / 4, 0.01)


def refusals():
    cases = [
        ('nuts', 'infer(m, method = nuts())', 1, ['nuts']),
        ('refine', 'infer(m, q, refine = 3)', 1, ['refine']),
        ('another model', 'model k { a ~ Normal(0, 1); x ~ Normal(a, 1) }\ninfer(k, q)', 1, ['q', 'm', 'k']),
        ('no model', 'infer(3)', 1, ['model', 'number']),
        ('misspelt option', 'infer(m, q, optimizer = adam(rat = 0.1))', 1, ['rat', 'lr']),
        ('a guide that observes',
         'guide r for m { param l = 0; mu ~ Normal(l, 1); x ~ Normal(0, 1)}\ninfer(m, r)', 1, ['x']),
        ('shapes', 'guide r for m { param l = 0; mu ~ Normal([l, l], 1) }\ninfer(m, r)', 1, ['mu', '[2]']),
        ('random structure',
         'model s { k ~ Normal(0, 1); if k > 0 { b ~ Normal(0, 1) }; x ~ Normal(k, 1) }\ninfer(s)', 1, ['b', 'importance']),
        ('discrete', 'model s { k ~ Poisson(3); x ~ Normal(k, 1) }\ninfer(s)', 1, ['k', 'Poisson']),
        ('impossible',
         'model s { k ~ Normal(0, 1); factor -inf; x ~ Normal(k, 1) }\ninfer(s, method = importance(100))', 4, ['weights']),
        ('two plates', 'model s { plate i in 1..3 { z[i] ~ Normal(0, 1) }; x ~ Normal(sum(z), 1) }\n'
                       'guide r for s { plate i in 1..2 { z[i] ~ Normal(0, 1) } }\ninfer(s, r)', 1, ['1..2', '1..3']),
    ]
    for name, text, code, words in cases:
        got, _, _, err = run(NORMAL + text)
        check(name, got == code and all(w in err for w in words), f'exit {got}: {err}')


def elementwise_structure():
    """A guide and a model that run a plate in different ways mean the same."""
    text = '''
data x = [0.5, -0.4]
model m { plate i in 1..2 { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q for m { param l: real[2] = [0, 0]; for i in 1..2 { z[i] ~ Normal(l[i], 0.7071067811865476) } }
infer(m, q, steps = 2000, optimizer = adam(0.02))
'''
    code, fits, _, err = run(text)
    check('loop and plate', code == 0, err)
    if code == 0:
        near('loop and plate', fits[0]['elbo'], -math.log(4 * math.pi) - (0.25 + 0.16) / 4, 0.001)


def random_structure():
    """Guards: a branch on a draw of the guide; both branches are recorded and used."""
    text = '''
data x = 1.0
model m { k ~ Bernoulli(0.5); a ~ Normal(0, 1); x ~ Normal(if k == 1 { a } else { -a }, 1) }
guide q for m {
    param p: unit = 0.4
    k ~ Bernoulli(p)
    param l = 0.1
    param s: positive = 1
    if k == 1 { a ~ Normal(l, s) } else { a ~ Normal(-l, s) }
}
infer(m, q, STEPS)
'''
    code, fits, _, err = run(text.replace('STEPS', 'steps = 4000, optimizer = adam(0.02)'))
    check('branches', code == 0, err)
    if code == 0:
        near('branches', fits[0]['elbo'], -0.5 * math.log(4 * math.pi) - 0.25, 0.01)
    return text.replace('STEPS', 'steps = 100')


def strip(fit):
    return json.dumps({k: v for k, v in fit.items() if k != 'seconds'}, sort_keys=True)


def untimed(prints):
    return [re.sub(r'in [-0-9.e]+ s,', '', p) for p in prints]


def same(name, text, *args, cwd=None):
    code, fits, prints, err = run(text, *args, cwd=cwd)
    check(name, code in (0, 3) and fits, err)
    for how, extra, walk in [('walking the tree', [], True), ('2 threads', ['--threads', '2'], False), ('4 threads', ['--threads', '4'], False)]:
        _, again, prints2, err2 = run(text, *extra, *args, walk=walk, cwd=cwd)
        check(f'{name}: {how}', [strip(f) for f in again] == [strip(f) for f in fits] and untimed(prints) == untimed(prints2),
              f'{[strip(f)[:300] for f in again]} instead of {[strip(f)[:300] for f in fits]} {err2}')
    _, other, _, _ = run(text, '--seed', '7', *args, cwd=cwd)
    check(f'{name}: another seed', [strip(f) for f in other] != [strip(f) for f in fits], 'the seed changes nothing')


def twice_the_same():
    same('normal', NORMAL + 'infer(m, steps = 100)\ninfer(m, q, steps = 100)\nprint(simulate(m, 3))')
    same('branches', random_structure())
    same('a choice that is always the same', '''
data y = [1.0, 2, 3, 4]
model m {
    a ~ Normal(0, 1)
    b = where([true, true, true, true], [1, 2, 3, 4], a * y)
    plate i in 1..4 { y[i] ~ Normal(b[i] + a, 1) }
}
infer(m, steps = 100)''')
    if not os.path.isdir(ACCEPTANCE):
        print('skipped: the acceptance programs are not there')
        return
    for name in ['coin', 'eight_schools', 'regression', 'local_level', 'nested', 'custom_distribution']:
        text = open(os.path.join(ACCEPTANCE, name + '.ppl')).read()
        args = ['--data', os.path.join(ACCEPTANCE, 'regression.csv')] if name == 'regression' else []
        if 'infer(' not in re.sub(r'#.*', '', text):
            text += '\ninfer(schools, steps = 100)\n'
        text = re.sub(r'steps = \d+', 'steps = 100', text)
        text = re.sub(r'(infer\((?:(?!steps)[^()]|\([^()]*\))*)\)', r'\1, steps = 100)', text)
        same(name, text, *args)


for part in [normal_mean, other_conjugates, discrete_guide, partly_written, forward, local_elbos, refusals, elementwise_structure, twice_the_same]:
    part()
finish()
