#!/usr/bin/env python3
"""Automatic guides with latents in plates that run in batches: each element has its own location and scale, learned when it
is in the batch; the answers are those of all data at once, and known. Nested plates, a smaller last batch."""
import json, os, subprocess, tempfile

from programs import PPL, check, finish


def run(name, text, walk=False):
    """The prints, and standard output whole."""
    with tempfile.NamedTemporaryFile('w', suffix='.ppl', delete=False) as f:
        f.write(text)
    env = dict(os.environ, PPL_WALK='1') if walk else dict(os.environ)
    done = subprocess.run([PPL, 'run', '--json', f.name], text=True, capture_output=True, env=env, timeout=300)
    os.unlink(f.name)
    check(name + ': runs', done.returncode == 0, done.stderr)
    return [json.loads(l)['print'] for l in done.stdout.splitlines() if l.startswith('{"print"')], done.stdout


SUMS = '''
data x = 1 + draw(Normal(0, sqrt(2))[250])
model m { mu ~ Normal(0, 10)
    plate i in 1..250 { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i] + mu, 1) } }
fit = infer(m, guide = GUIDE, batch = {i: 48}, epochs = 400, optimizer = adam(0.03, schedule = cosine()))
p = fit.params.GUIDENAME.z
print(max(abs(p.loc - (x - mean(fit.mu)) / 2)), max(abs(p.scale - sqrt(0.5))), abs(mean(fit.mu) - mean(x)))
print(shape(fit.z), max(abs(p.loc - sum(fit.z, 1) / 4000)))
'''


def conjugate():
    """Given mu, z is N((x - mu) / 2, 1/2): mean field has these means and variances. The last batch has 10 elements."""
    for guide in ['auto_normal', 'auto_mvn']:
        prints, out = run(guide, SUMS.replace('GUIDENAME', guide).replace('GUIDE', guide + '()'))
        if prints:
            loc, scale, mu = map(float, prints[0].split())
            check(guide + ': locations', loc < 0.03, loc), check(guide + ': scales', scale < 0.03, scale)
            check(guide + ': mu', mu < 0.03, mu)
            check(guide + ': draws of all elements', prints[1].startswith('[4000, 250] ') and float(prints[1].split()[2]) < 0.06, prints[1])
        check(guide + ': note', ('have independent normals' in out) == (guide != 'auto_normal'), out[:400])


NESTED = '''
fn counts(n, m) { c = zeros(n, m)
    for i in 1..n { for j in 1..m { c[i, j] = draw(Poisson(1 + 2 * (i % 5))) } }
    c }
data y = counts(23, 7)
model m { a ~ Normal(0, 1); s ~ HalfNormal(1)
    plate i in 1..23 {
        r[i] ~ LogNormal(a, s)
        plate j in 1..7 { e[i, j] ~ Gamma(4, 4); y[i, j] ~ Poisson(r[i] * e[i, j]) } } }
whole = infer(m, guide = auto_normal(), steps = 6000, optimizer = adam(0.03, schedule = cosine()))
for sizes in [{i: 5}, {i: 8, j: 3}, {j: 4}] {
    fit = infer(m, guide = auto_normal(), batch = sizes, steps = 20000, optimizer = adam(0.02, schedule = cosine()), draws = 4000)
    print(abs(mean(fit.a) - mean(whole.a)), abs(sd(fit.a) - sd(whole.a)), abs(mean(fit.s) - mean(whole.s)), fit.elbo - whole.elbo)
}
'''


def nested():
    """Positive latents in two plates, the outer ones hierarchical, against the fit with all data; either plate in batches, or both."""
    prints, out = run('nested', NESTED)
    check('nested: three fits', len(prints) == 3, out[-500:])
    for sizes, line in zip(['i', 'i and j', 'j'], prints):
        a, sd, s, elbo = map(float, line.split())
        check(f'batches of {sizes}: a', a < 0.05 and sd < 0.03, line), check(f'batches of {sizes}: s', s < 0.05, line)
        check(f'batches of {sizes}: elbo', abs(elbo) < 4, line)


def same_bits():
    text = SUMS.replace('GUIDENAME', 'auto_normal').replace('GUIDE', 'auto_normal()').replace('epochs = 400', 'epochs = 3') + 'print(fit.params, fit.trace)'
    tape, walk = run('tape', text)[0], run('tree', text, walk=True)[0]
    check('tape and tree agree', tape == walk, (tape, walk))


def mixed():
    """A hand-written part, and the rest automatic; auto_delta is refused."""
    prints, _ = run('with', '''
data x = 1 + draw(Normal(0, sqrt(2))[100])
model m { mu ~ Normal(0, 10)
    plate i in 1..100 { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i] + mu, 1) } }
guide q for m with auto_normal() { param l: real = 0
    mu ~ Normal(l, 0.1) }
fit = infer(m, q, batch = {i: 30}, epochs = 500, optimizer = adam(0.03, schedule = cosine()))
print(abs(fit.params.q.l - mean(x)), max(abs(fit.params.q.z.loc - (x - fit.params.q.l) / 2)))
''')
    if prints:
        check('with: the answers', max(map(float, prints[0].split())) < 0.05, prints)
    text = SUMS.split('fit =')[0] + 'infer(m, guide = auto_delta(), batch = {i: 48}, epochs = 3)'
    with tempfile.NamedTemporaryFile('w', suffix='.ppl') as f:
        f.write(text), f.flush()
        done = subprocess.run([PPL, 'run', f.name], text=True, capture_output=True)
    check('auto_delta is refused', done.returncode == 1 and 'has no points for the latents' in done.stderr, done.stderr)


conjugate(), nested(), same_bits(), mixed()
finish()
