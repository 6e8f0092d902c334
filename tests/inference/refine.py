#!/usr/bin/env python3
"""Iterative refinement against answers that are known: closed forms on linear-Gaussian models, finite differences,
recursions written out in Python, and the guides that a refinement must equal."""
import math

from programs import check, finish, near, numbers, printed


def ran(name, text, *args):
    code, prints, err = printed(text, *args)
    check(f'{name}: runs', code == 0, err)
    return [numbers(p) for p in prints] if code == 0 else None


# z ~ N(0, 1), x | z ~ N(z, 1): the posterior is N(x / 2, 1 / 2), the evidence N(x; 0, 2)
LINEAR = '''
data x = draw(Normal(0, sqrt(2))[400])
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
'''
# draws are loc + EPS * scale, whatever the seed: gradients are numbers that can be written down
FIXED = '''
dist Fixed(loc: real, scale: positive) on real {
    logpdf(x) = logpdf(Normal(loc, scale), x)
    rdraw() = loc + EPS * scale
}
'''


def closed_forms():
    """Three pixels a z + c, z = mu + exp(v / 2) 0.7: section 5.4 of the description of the method, to 1e-8."""
    program = FIXED.replace('EPS', '0.7') + '''
a = [1, -2, 0.5]
c = [0, 0.3, -0.2]
model m(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1); x[i] ~ LIKELIHOOD } }
guide q(x) for m {
    plate i in 1..nrow(x) {
        lam = {mu: 0.2, v: -0.5}
        seen = [zeros(3), 0, 0, 0]
        refine lam for t in 1..1 { seen = [error(x), error(z), gradient(lam.mu), gradient(lam.v)] }
        ex[i] := seen[1]
        ez[i] := seen[2]
        g[i] := [seen[3], seen[4]]
        z[i] ~ Fixed(lam.mu, exp(lam.v / 2))
    }
}
x = [DATA]
fit = infer(m(x), q(x), steps = 1)
p = posterior(fit, q(x), m(x))
fn digits(value, reference) = print((value - reference) * 1e8)
z0 = 0.2 + exp(-0.25) * 0.7
digits(z0, 0.7451605481)
digits(p.g[1], [SAMPLED])
digits(p.ez, [z0])
s = exp(-0.25)
recon = refinement(fit, m(x), q(x), refine = 0)[1] - logpdf(Normal(0, 1), z0) + logpdf(Normal(0.2, s), z0)
digits(recon - kl(Normal(0.2, s), Normal(0, 1)), ELBO)
back = sum(a * p.ex[1])     # J^T error(x)
digits([back - 0.2, 0.5 * s * 0.7 * back + 0.5 * (1 - s ^ 2)], [ANALYTIC])
'''
    cases = {
        'Bernoulli': dict(LIKELIHOOD='Bernoulli(logits = a * z[i] + c)', DATA='[1, 0, 1]', ELBO='-1.3377981554',
                          SAMPLED='0.2716000336, 0.5740328116', ANALYTIC='0.8167605817, 0.4738835482'),
        'Gaussian': dict(LIKELIHOOD='Normal(a * z[i] + c, 0.5)', DATA='[0.5, -1, 0.2]', ELBO='-0.9447946987',
                         SAMPLED='-3.1935320592, -0.3704938440', ANALYTIC='-2.6483715111, -0.4706431074')}
    for name, parts in cases.items():
        text = program
        for key, value in parts.items():
            text = text.replace(key, value)
        if name == 'Gaussian':
            text += ('digits(p.ex[1] * 0.25, [-0.9806421926, 0.7612843852, 0.1096789037] * 0.25)\n'
                     'digits(grad(s2 -> sum(logpdf(Normal(a * z0 + c, sqrt(s2)), x[1])), 0.25), -5.2233787565)\n')
        out = ran(f'{name}, fixed noise', text)
        for k, line in enumerate(out or []):
            # the references have ten decimals; the sampled-KL ones of the Gaussian follow from the analytic ones
            check(f'{name}, fixed noise: line {k + 1}', all(abs(v) < 1 for v in line), f'{line} e-8 off')


def gradients():
    """gradient(v) on average: d ELBO / d loc = x - 2 loc, d ELBO / d log scale = 1 - 2 scale^2; several particles share v
    and see the mean of their gradients."""
    for particles in [1, 4]:
        out = ran('gradient', '''
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q(x) for lin {
    plate i in 1..len(x) {
        lam = {loc: 0.3, log_scale: -0.2}
        refine lam for t in 1..1 { lam = gradient(lam) }
        g_loc[i] := lam.loc
        g_scale[i] := lam.log_scale
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
x = 1.4 * ones(40000)
fit = infer(lin([1.0]), q([1.0]), steps = 1)
p = posterior(fit, q(x), lin(x))
print(mean(p.g_loc), mean(p.g_scale))
''')
        if out:
            near('gradient: loc', out[0][0], 1.4 - 0.6, 0.05)
            near('gradient: log scale', out[0][1], 1 - 2 * math.exp(-0.4), 0.05)


def ascent():
    """A body of one's own with names that carry on: Adam with momentum, as its recursion says."""
    out = ran('ascent', FIXED.replace('EPS', '0') + '''
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q(x) for lin {
    plate i in 1..len(x) {
        loc = 0
        m = 0
        v = 0
        refine loc for t in 1..6 {
            g = gradient(loc)
            m = 0.9 * m + 0.1 * g
            v = 0.99 * v + 0.01 * g ^ 2
            loc = loc + 0.1 * m / (1 - 0.9 ^ t) / (sqrt(v / (1 - 0.99 ^ t)) + 1e-8)
        }
        z[i] ~ Fixed(loc, 1)
    }
}
x = [1.4, -0.3]
fit = infer(lin(x), q(x), steps = 1)
print(posterior(fit, q(x), lin(x)).z * 1e5)
print(posterior(fit, q(x), lin(x), refine = 9).z * 1e5)
''')
    if not out:
        return
    for steps, line in zip([6, 9], out):
        for x, value in zip([1.4, -0.3], line):
            loc = m = v = 0
            for t in range(1, steps + 1):
                g = x - 2 * loc
                m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
                loc += 0.1 * (m / (1 - 0.9 ** t)) / (math.sqrt(v / (1 - 0.99 ** t)) + 1e-8)
            near(f'ascent: {steps} steps', value, 1e5 * loc, 1)


LEARNED = '''
net update(lam, g) {
    param a: real = 0.1
    param b: real = 0.1
    param c: real = 0.1
    param d: real = 0
    {loc: lam.loc + a * g.loc, log_scale: c * lam.log_scale + b * g.log_scale + d}
}
guide q(x) for lin {
    plate i in 1..len(x) {
        lam = {loc: 0, log_scale: 0}
        refine lam for t in 1..8 { lam = update(lam, gradient(lam)) }
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
'''


def learned_from_gradients():
    out = ran('learned', LINEAR + LEARNED + '''
fit = infer(lin(x), q(x), steps = 4000, optimizer = adam(0.01))
new = draw(Normal(0, sqrt(2))[2000])
print(refinement(fit, lin(new), q(new)), mean(logpdf(Normal(0, sqrt(2)), new)))
print(mean(posterior(fit, q(3.0 * ones(4000)), lin(3.0 * ones(4000))).z))
print(refinement(fit, lin(new), q(new), refine = refine(steps = 2)))
''')
    if not out:
        return
    *steps, best = out[0]
    check('learned: one number for the start and each step', len(steps) == 9, f'{steps}')
    check('learned: gains', steps[-1] > steps[0] + 0.3, f'{steps}')
    near('learned: close to the evidence', steps[-1], best, 0.15)
    near('learned: new data', out[1][0], 1.5, 0.15)
    check('learned: other steps', len(out[2]) == 3, f'{out[2]}')


def reaches_and_stays():
    """Trained with 4 steps from N(0, 1), it is at the posterior N(x / 2, 1 / 2), and there after 40 too."""
    out = ran('stays', '''
data x = draw(Normal(0, sqrt(2))[400])
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
net update(lam, g, x) {
    param a: real[4] = 0
    param b: real[3] = 0
    {loc: a[1] * lam.loc + a[2] * g.loc + a[3] * x + a[4], log_scale: b[1] * lam.log_scale + b[2] * g.log_scale + b[3]}
}
guide q(x) for lin {
    plate i in 1..len(x) {
        lam = {loc: 0, log_scale: 0}
        refine lam for t in 1..4 { lam = update(lam, gradient(lam), x[i]) }
        loc[i] := lam.loc
        scale[i] := exp(lam.log_scale)
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
fit = infer(lin(x), q(x), steps = 4000, optimizer = adam(0.01, schedule = cosine()))
new = [-3, -1, 0, 0.5, 2]
for k in [1, 4, 40] {
    p = posterior(fit, q(new), lin(new), refine = k)
    print(p.loc - new / 2, p.scale - sqrt(0.5))
}
print(elbo(fit, lin(new), q(new), refine = 40, samples = 100) - logpdf(Normal(0, sqrt(2)), new))
''')
    for name, line in zip(['1 step', '4 steps', '40 steps', 'ELBO after 40'], out or []):
        worst = max(abs(v) for v in line)
        check(f'stays: {name}', worst < 0.02, f'{line}')


def error_encoder_is_encoder():
    """One step from a point where error(x) is affine in x is an inference network, update by update."""
    text = '''
data x = draw(Normal(0, sqrt(2))[100])
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
net encoder(e) {
    h = e |> dense(4) |> tanh
    {loc: sum(dense(h, 1)), log_scale: sum(dense(h, 1))}
}
guide q(x) for lin {
    plate i in 1..len(x) {
        GUIDE
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
fit = infer(lin(x), q(x), steps = 300, optimizer = adam(0.01))
print(fit.params.encoder, fit.trace[300])
'''
    refines = '''lam = {loc: 0, log_scale: -50}
        refine lam for t in 1..1 { lam = encoder(error(x)) }'''
    one, two = printed(text.replace('GUIDE', refines)), printed(text.replace('GUIDE', 'lam = encoder(x[i])'))
    check('errors: run', one[0] == two[0] == 0, one[2] + two[2])
    if one[0] == two[0] == 0:
        a, b = numbers(one[1][0]), numbers(two[1][0])
        check('errors: one step is an encoder', max(abs(x - y) for x, y in zip(a, b)) < 1e-4 and len(a) == len(b) > 10,
              f'{a} {b}')


STEPPED = '''
data x = [0.3, -1.2, 2.0]
model lin(x) {
    param w: real = W
    plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(w * z[i] + 0.1 * z[i] ^ 2, 1) }
}
guide q(x) for lin {
    param a: real[3] = A
    param s: real = S
    plate i in 1..len(x) {
        loc = 0.1
        refine loc for t in 1..3 { loc = loc + a[t] * gradient(loc) }
        z[i] ~ Fixed(loc, exp(s))
    }
}
f = infer(lin(x), q(x), steps = 1, optimizer = sgd(1e-3) OPTION)
whole = floor(f.trace[1])
print(whole, 1e6 * (f.trace[1] - whole))
print(1e6 * (f.params.q.a - A) / 1e-3, 1e6 * (f.params.q.s - S) / 1e-3, 1e6 * (f.params.lin.w - W) / 1e-3)
'''
AT = dict(a=[0.2, 0.3, 0.25], s=-0.3, w=0.8)


def stepped(option, eps=0, **values):
    '''The ELBO after the last step, and the gradients that the parameters follow: a, s, w.'''
    text = FIXED.replace('EPS', str(eps)) + STEPPED.replace('OPTION', option)
    for name, value in dict(AT, **values).items():
        text = text.replace(name.upper() if name != 'a' else ' A', ' ' + str(value))
    code, prints, err = printed(text)
    check(f'differences {option}: runs', code == 0, err)
    if code:
        return 0, [0] * 5
    whole, rest = numbers(prints[0])
    return whole + rest * 1e-6, [v * 1e-6 for v in numbers(prints[1])]


def difference(option, eps=0, **changes):
    '''Central, of the ELBO after the last step.'''
    ends = []
    for h in [2e-3, -2e-3]:
        values = {}
        for name, place in changes.items():
            at = AT[name]
            values[name] = at + h if place is None else [v + h * (k == place) for k, v in enumerate(at)]
        ends.append(stepped(option, eps, **values)[0])
    return (ends[0] - ends[1]) / 4e-3


def parameter_gradients():
    """Against finite differences: through the steps, of everything; step by step, of what the last step alone reads, of the
    guide around it and of the model. (Draws are fixed where log q has no derivative with respect to what is changed: the
    gradient leaves that one out.)"""
    option = ', refine = refine(through = true, loss = "last")'
    _, g = stepped(option)
    for k in range(3):
        near(f'through: a[{k + 1}]', g[k], difference(option, a=k), 1e-3)
    near('through: s', g[3] + 3, difference(option, s=None), 1e-3)  # - d log q / d s at its loc: 1 for each element
    last = ', refine = refine(loss = "last")'
    _, cut = stepped(last)
    near('last: a[3]', cut[2], difference(last, a=2), 1e-3)
    check('last: no way to earlier steps', cut[0] == cut[1] == 0, f'{cut}')
    _, mean = stepped('')
    for k in range(3):  # of the ELBO after step k + 1, which is the last one when there are no more
        option = f', refine = refine(steps = {k + 1}, loss = "last")'
        near(f'mean: a[{k + 1}]', mean[k], difference(option, a=k) / 3, 1e-3)
    _, both = stepped(', refine = refine(through = true)')
    wants = [difference(f', refine = refine(steps = {k})', a=0) for k in [1, 2, 3]]
    near('through, mean: a[1] follows all', both[0], sum(wants) / 3, 2e-3)
    AT['a'] = [0, 0, 0]  # nothing moves: the ELBOs are the same after each step
    for option in ['', ', refine = refine(loss = "last")', ', refine = refine(through = true)']:
        _, still = stepped(option, eps=1)
        near(f'{option}: s, around the steps', still[3], difference('', eps=1, s=None), 2e-3)
        near(f'{option}: w, the model', still[4], difference('', eps=1, w=None), 2e-3)


def beside_automatic():
    """A guide that refines one variable and leaves the rest to an automatic one can have the posterior: its ELBO is the evidence."""
    y, x = 1.3, [0.4, -1.1, 2.2, 0.7]
    evidence = sum(-0.25 * v * v - 0.5 * math.log(4 * math.pi) for v in [y, *x])
    for option in ('', ', batch = {i: 2}', ', refine = refine(through = true)', ', batch = {i: 2}, refine = refine(through = true)'):
        out = ran(f'beside automatic{option}', f'''
model m(x) {{
    mu ~ Normal(0, 1)
    observe {y} ~ Normal(mu, 1)
    plate i in 1..len(x) {{ z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) }}
}}
guide q(x) for m with auto_normal() {{
    param l: real = -1
    param s: positive = 1
    v = l
    refine v for t in 1..2 {{ v = v + 0.02 * gradient(v) }}
    mu ~ Normal(v, s)
}}
fit = infer(m({x}), q({x}), steps = 1500, optimizer = adam(0.05, schedule = cosine(0.01)) {option})
print(fit.elbo, mean(fit.mu))
''')
        if out:
            near(f'beside automatic{option}: ELBO', out[0][0], evidence, 0.01)
            near(f'beside automatic{option}: mean', out[0][1], y / 2, 0.05)


def mean_of_steps():
    """d ELBO_t / d a[t] / 3 over many elements against its expectation: loc_t = loc_{t-1} + a[t] (x - 2 loc_{t-1} + noise),
    whose noise, -2 s eps, is part of what a[t] scales."""
    a, s, n = [0.2, 0.3, 0.25], 0.5, 100000
    out = ran('mean', '''
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q(x) for lin {
    param a: real[3] = [0.2, 0.3, 0.25]
    plate i in 1..len(x) {
        loc = 0
        refine loc for t in 1..3 { loc = loc + a[t] * gradient(loc) }
        z[i] ~ Normal(loc, 0.5)
    }
}
x = 1.4 * ones(100000)
f = infer(lin(x), q(x), steps = 1, draws = 1, optimizer = sgd(1e-9))
print((f.params.q.a - [0.2, 0.3, 0.25]) * 1e9 / 100000)
''')
    m, v = 0, 0  # of loc
    for t in range(3):
        # E[(x - 2 loc_t) g] with loc_t = loc + a g, g = x - 2 loc - 2 s eps
        g2 = (1.4 - 2 * m) ** 2 + 4 * v + 4 * s * s
        g_loc = m * (1.4 - 2 * m) - 2 * v
        want = 1.4 * (1.4 - 2 * m) - 2 * (g_loc + a[t] * g2)
        if out:
            near(f'mean: a[{t + 1}]', out[0][t], want / 3, 0.02)
        m, v = m + a[t] * (1.4 - 2 * m), (1 - 2 * a[t]) ** 2 * v + a[t] ** 2 * 4 * s * s


def gaps():
    """Against closed forms: a guide that is left where it starts, in a family that has the posterior; a mean-field guide of
    two variables that the data tie together (its best ELBO is log p(x) - log(10 / 6) / 2)."""
    body = '''
r = gap(fit, m(x), q(x), samples = 400)
print(1e4 * r.elbo, 1e4 * r.optimised, 1e4 * r.log_evidence, 1e4 * r.amortization_gap, 1e4 * r.approximation_gap)
print(1e4 * r.elbo_mcse, 1e4 * r.optimised_mcse, 1e4 * r.log_evidence_mcse, 1e4 * r.amortization_gap_mcse,
      1e4 * r.approximation_gap_mcse)
print(r.worst)
print(r.elements.amortised)
print(r.elements.optimised)
print(r.elements.log_evidence)
'''
    x = [0.3, -1.2, 4.0, 0.1]
    one = '''
x = [0.3, -1.2, 4.0, 0.1]
model m(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
guide q(x) for m {
    plate i in 1..len(x) {
        lam = {loc: 0.3, log_scale: -0.2}
        refine lam for t in 1..2 { lam = {loc: lam.loc, log_scale: lam.log_scale} }
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
fit = infer(m(x), q(x), steps = 1 BATCH)
'''
    s2 = math.exp(-0.4)
    elbo = [-math.log(2 * math.pi) - 0.5 * (0.09 + s2 + (v - 0.3) ** 2 + s2) + 0.5 * math.log(2 * math.pi * math.e * s2) for v in x]
    evidence = [-0.25 * v * v - 0.5 * math.log(4 * math.pi) for v in x]
    for batch in ['', ', batch = {i: 3}']:
        out = ran('gap', one.replace('BATCH', batch) + body)
        if not out:
            continue
        *steps, best, ev, amortised, approximate = [v * 1e-4 for v in out[0]]
        errors = [v * 1e-4 for v in out[1]]
        mean, top = sum(elbo) / 4, sum(evidence) / 4
        check('gap: K + 1 steps', len(steps) == 3 and steps[0] == steps[1] == steps[2], f'{steps}')
        near('gap: amortised', steps[0], mean, 4 * errors[0])
        near('gap: optimised', best, top, 2e-3)
        near('gap: evidence', ev, top, 4 * errors[4] + 1e-3)
        near('gap: amortization gap', amortised, top - mean, 4 * errors[5] + 2e-3)
        near('gap: approximation gap', approximate, 0, 4 * errors[6] + 2e-3)
        near('gap: parts add up', steps[-1] + amortised + approximate, ev, 3e-4)
        check('gap: errors', all(0 <= e < 0.1 for e in errors) and errors[0] > 1e-3, f'{errors}')
        order = sorted(range(4), key=lambda k: elbo[k] - evidence[k])
        check('gap: worst first', [int(v) - 1 for v in out[2]] == order, f'{out[2]} {order}')
        for k in range(4):
            near(f'gap: element {k + 1}', out[3][k], elbo[k], 0.5)
            near(f'gap: best of element {k + 1}', out[4][k], evidence[k], 2e-3)
            near(f'gap: evidence of element {k + 1}', out[5][k], evidence[k], 0.01)
    out = ran('two', '''
model m(x) { plate i in 1..len(x) { a[i] ~ Normal(0, 1); b[i] ~ Normal(0, 1); x[i] ~ Normal(a[i] + 2 * b[i], 1) } }
guide q(x) for m {
    plate i in 1..len(x) {
        lam = {loc: zeros(2), log_scale: zeros(2)}
        refine lam for t in 1..0 { }
        s = exp(lam.log_scale)
        a[i] ~ Normal(lam.loc[1], s[1])
        b[i] ~ Normal(lam.loc[2], s[2])
    }
}
x = [3, 3]
fit = infer(m(x), q(x), steps = 1)
''' + body)
    if out:
        values, errors = [v * 1e-4 for v in out[0]], [v * 1e-4 for v in out[1]]
        near('two: optimised', values[1], -2.8202310797, 4 * errors[1] + 3e-3)
        near('two: evidence', values[2], -2.5648182679, 4 * errors[2] + 3e-3)
        near('two: approximation gap', values[4], 0.2554128119, 4 * errors[4] + 3e-3)


def library():
    """The pieces of the standard library: encodings, the gated update, posteriors in one line."""
    out = ran('encodings', '''
print(log_sign([0.5, -2], epsilon = 0))
model m(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[2]; x[i] ~ Normal(z[i], 1) } }
guide q(x) for m {
    plate i in 1..nrow(x) { e[i] := batch_standardize(x[i], epsilon = 0); u[i] := gated_update(x[i], x[i]); z[i] ~ Normal(0, 1)[2] }
}
x = [[1, 10], [2, 20], [6, 60]]
fit = infer(m(x), q(x), steps = 1, optimizer = sgd(1e-12))
p = posterior(fit, q(x))
print(p.e - ([[1, 1], [2, 2], [6, 6]] - 3) / sqrt(14 / 3))
(a, b) = (fit.params.q.gated_update_1.dense_1, fit.params.q.gated_update_1.dense_2)
g = sigmoid(x @ a.w + a.b)
print(p.u - (g * x + (1 - g) * (x @ b.w + b.b)))
''')
    if out:
        for value, want in zip(out[0], [math.log(0.5), math.log(2), 1, -1]):
            check('log_sign', value == want or abs(value - want) < 1e-5, f'{out[0]}')
        check('batch_standardize', len(out[1]) == 6 and max(map(abs, out[1])) < 1e-9, f'{out[1]}')
        check('gated_update', len(out[2]) == 6 and max(map(abs, out[2])) < 1e-9, f'{out[2]}')
    guides = {'iterative': 'iterative([16], 3, x[i], steps = 3)', 'errors': 'iterative([16], 3, x[i], encoding = log_sign)',
              'batch': 'iterative(h -> mlp(h, [16], tanh), 3, x[i], encoding = batch_standardize)',
              'semi-amortised': 'semi_amortized([16], 3, x[i])', 'without the data': 'iterative([16], 3)'}
    for name, call in guides.items():
        out = ran(name, '''
data x = draw(Normal(0, sqrt(2))[400, 3])
model m(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[3]; x[i] ~ Normal(z[i], 1) } }
guide q(x) for m { plate i in 1..nrow(x) { z[i] ~ ''' + call + ''' } }
f = infer(m(x), q(x), steps = 1000, optimizer = adam(5e-3), batch = {i: 100}, draws = 10)
print(mean(elbo(f, m(x), q(x), samples = 10)) - sum(logpdf(Normal(0, sqrt(2)), x)) / 400)
print(refinement(f, m(x), q(x)))
''')
        if out:
            near(f'{name}: close to the evidence', out[0][0], 0, 0.8 if name == 'without the data' else 0.12)
            check(f'{name}: steps', len(out[1]) == (4 if name == 'iterative' else 6), f'{out[1]}')


def several():
    """Levels of a hierarchy together, statements one after the other, in a loop, outside plates with batches."""
    text = FIXED.replace('EPS', '0') + '''
model tree(x) { plate i in 1..len(x) { b[i] ~ Normal(0, 1); z[i] ~ Normal(b[i], 1); x[i] ~ Normal(z[i], 1) } }
guide together(x) for tree {
    plate i in 1..len(x) {
        (u, v) = (0, 0)
        refine (u, v) for t in 1..60 { (u, v) = (u + 0.3 * gradient(u), v + 0.3 * gradient(v)) }
        b[i] ~ Fixed(u, 1)
        z[i] ~ Fixed(v, 1)
    }
}
guide apart(x) for tree {
    plate i in 1..len(x) {
        v = 0
        refine v for t in 1..60 { v = v + 0.3 * gradient(v) }
        z[i] ~ Fixed(v, 1)
        u = 0
        refine u for t in 1..60 { u = u + 0.3 * gradient(u) }
        b[i] ~ Fixed(u, 1)
    }
}
x = [3, -1.5]
f = infer(tree(x), together(x), steps = 1)
p = posterior(f, together(x), tree(x))
print(p.b, p.z)                     # the mode: x / 3, 2 x / 3
g = infer(tree(x), apart(x), steps = 1)
r = posterior(g, apart(x), tree(x))
print(r.z, r.b)                     # z with b = 0: x / 2; then b with that z: z / 2
'''
    out = ran('several', text)
    if out:
        for value, want in zip(out[0], [1, -0.5, 2, -1]):
            near('several: together', value, want, 1e-3)
        for value, want in zip(out[1], [1.5, -0.75, 0.75, -0.375]):
            near('several: one after the other', value, want, 1e-3)
    out = ran('loop', FIXED.replace('EPS', '0') + '''
model walk(x) { z[1] ~ Normal(0, 1); for t in 2..len(x) { z[t] ~ Normal(z[t - 1], 1) }
                for t in 1..len(x) { observe x[t] ~ Normal(z[t], 1) } }
guide filter(x) for walk {
    for t in 1..len(x) {
        l = 0
        refine l for k in 1..80 { l = l + 0.2 * gradient(l) }
        z[t] ~ Fixed(l, 1)
    }
}
x = [1, 2, 4]
f = infer(walk(x), filter(x), steps = 1)
print(posterior(f, filter(x), walk(x)).z)
''')
    if out:  # each with the states before it fixed and those behind it at 0: (before + 0 + x) / 3, the last / 2
        one = 1 / 3
        two = (one + 2) / 3
        for value, want in zip(out[0], [one, two, (two + 4) / 2]):
            near('loop', value, want, 1e-3)
    out = ran('outside', FIXED.replace('EPS', '0') + '''
model m(x) { mu ~ Normal(0, 1); plate i in 1..len(x) { x[i] ~ Normal(mu, 1) } }
guide q(x) for m {
    param a: real = 0
    l = 0
    g = 0
    refine l for k in 1..1 { g = gradient(l); l = l + a * g }
    mu ~ Fixed(l + 0 * g, 1)
}
x = 2 * ones(50)
f = infer(m(x), q(x), batch = {i: 10}, steps = 1, optimizer = sgd(1e-6))
print(f.params.q.a * 1e6)
''')
    if out:  # d ELBO / d a at a = 0 is gradient(l)^2, and gradient(l) is that of the whole sum, 100
        near('outside plates: batches stand for all', out[0][0], 100 ** 2, 1)


def elementwise():
    """A plate that runs element by element (its model has a loop over the element's length) refines each for itself."""
    text = FIXED.replace('EPS', '0') + '''
n = [1, 3]
x = [[1.0, 0, 0], [2.0, 4.0, 0.0]]
model m(x) { plate i in 1..2 { z[i] ~ Normal(0, 1); for k in 1..n[i] { observe x[i, k] ~ Normal(z[i], 1) } } }
guide q(x) for m {
    plate i in 1..2 {
        l = 0
        for k in 1..n[i] { l = l + 0 }
        refine l for k in 1..80 { l = l + 0.2 * gradient(l) }
        z[i] ~ Fixed(l, 1)
    }
}
f = infer(m(x), q(x), steps = 1)
print(posterior(f, q(x), m(x)).z)
'''
    out = ran('elementwise', text)
    if out:
        near('elementwise: 1', out[0][0], 0.5, 1e-3), near('elementwise: 2', out[0][1], 6 / 4, 1e-3)


def costs():
    """Matrix products of a step, counted: T encoder passes and T + 1 decoder passes; what the encoder makes of the data
    and its derivative once; derivatives with respect to the decoder's parameters once."""
    B, D, H, Z, T = 20, 30, 7, 3, 4
    program = '''
data x = draw(Bernoulli(0.5)[60, D])
net decoder(z) = z |> dense(H) |> elu |> dense(H) |> elu |> dense(D)
net encoder(e) = e |> dense(H) |> elu |> dense(H) |> elu
net heads(h) = {loc: dense(h, Z), log_scale: dense(h, Z)}
model m(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[Z]; x[i] ~ Bernoulli(logits = decoder(z[i])) } }
guide q(x) for m {
    plate i in 1..nrow(x) {
        GUIDE
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
print(infer(m(x), q(x), batch = {i: B}, steps = 4 OPTION).flops)
'''
    decoder, deep, out = Z * H + H * H + H * D, H * H, 2 * H * Z
    standard = (D * H + deep + out) * 2 + deep + out + 3 * decoder  # forward, weights, activations but those of the data
    lean = 2 * D * H + T * (2 * 4 * Z * H + 3 * (deep + out)) + 2 * (T + 1) * decoder + decoder
    body = '''lam = {loc: zeros(Z), log_scale: zeros(Z)}
        refine lam for t in 1..T {
            g = gradient(lam)
            lam = heads(encoder(concat(lam.loc, lam.log_scale, standardize(g.loc), standardize(g.log_scale), x[i])))
        }'''
    for name, guide, option, want in [('standard', 'lam = heads(encoder(x[i]))', '', standard), ('refined', body, '', lean),
                                      ('refined, 3 particles', body, ', method = svi(objective = ELBO(particles = 3))',
                                       lean + 2 * (2 * (T + 1) + 1) * decoder)]:
        text = program.replace('GUIDE', guide).replace('OPTION', option)
        for letter, value in dict(B=B, D=D, H=H, Z=Z, T=T).items():
            for before, after in [('[', ']'), (' ', ']'), ('(', ')'), (' ', ')'), (' ', '}'), ('..', ' ')]:
                text = text.replace(before + letter + after, before + str(value) + after)
        counted = ran(f'costs, {name}', text)
        if counted:
            near(f'costs, {name}', counted[0][0] / (2 * B), want, 0.5)


def tape_is_tree():
    body = '''
guide q(x) for lin {
    plate i in 1..len(x) {
        lam = {loc: 0.1 * x[i], log_scale: 0}
        m = 0
        refine lam for t in 1..3 {
            m = 0.5 * m + error(x[i])
            h = concat(lam.loc, lam.log_scale, gradient(lam.loc), error(z), m, x[i]) |> dense(5) |> tanh
            lam = {loc: lam.loc + sum(dense(h, 1)), log_scale: 0.5 * lam.log_scale + sum(dense(h, 1))}
        }
        z[i] ~ Normal(lam.loc, exp(lam.log_scale))
    }
}
'''
    cases = [('mean', ''), ('through', ', refine = refine(through = true)'),
             ('particles', ', method = svi(objective = ELBO(particles = 3))')]
    for name, option in cases:
        text = LINEAR + body + f'f = infer(lin(x), q(x), batch = {{i: 96}}, steps = 12{option})\nprint(f.params, f.trace)\n'
        one, two, three = printed(text), printed(text, walk=True), printed(text, '--threads', '4')
        check(f'{name}: tape and tree', one[0] == 0 and one[1] == two[1], f'{one} {two}')
        check(f'{name}: threads', one[1] == three[1], f'{one} {three}')


def mistakes():
    start = LINEAR + 'guide q(x) for lin { plate i in 1..len(x) { l = 0\n refine l for t in 1..2 { BODY }\n z[i] ~ Normal(l, 1) } }\n'
    plain = LINEAR + 'guide q(x) for lin { plate i in 1..len(x) { z[i] ~ Normal(0, 1) } }\n'
    fitted = start.replace('BODY', 'l = l + 0.1 * gradient(l)') + 'f = infer(lin(x), q(x), steps = 2)\n'
    for name, text, word in [
            ('gradient outside', plain + 'print(gradient(1))', 'refine'),
            ('no refine', plain + 'print(refinement(infer(lin(x), q(x), steps = 2), lin(x), q(x)))', 'no `refine`'),
            ('option without refine', plain + 'infer(lin(x), q(x), steps = 2, refine = 3)', 'has no `refine`'),
            ('gap without refine', plain + 'gap(infer(lin(x), q(x), steps = 2), lin(x), q(x))', 'for t in 1..0'),
            ('gap of two', start.replace('BODY', 'l = l + 0.1 * gradient(l)').replace('z[i] ~ Normal(l, 1)', 'refine l for t in 1..2 { }; z[i] ~ Normal(l, 1)') +
             'gap(infer(lin(x), q(x), steps = 2), lin(x), q(x))', 'one `refine`'),
            ('loss', fitted + 'infer(lin(x), q(x), refine = refine(loss = "first"))', '"mean" or "last"'),
            ('steps', fitted + 'refinement(f, lin(x), q(x), refine = -1)', 'at least 0'),
            ('what', fitted + 'refinement(f, lin(x), q(x), refine = adam(1))', 'refine(steps = 20)'),
            ('unknown site', start.replace('BODY', 'l = error(y)') + 'infer(lin(x), q(x))', 'no variable `y`'),
            ('changed', start.replace('BODY', 'l = l + 1; l = gradient(l)') + 'infer(lin(x), q(x))', 'before the body changes'),
            ('text', start.replace('BODY', 'l = "a"') + 'infer(lin(x), q(x))', 'can be refined'),
            ('no location', LINEAR.replace('x[i] ~ Normal(z[i], 1)', 'x[i] ~ Normal(z[i], 1); y[i] ~ Exponential(1)')
             + 'guide q(x) for lin { plate i in 1..len(x) { l = 0\n refine l for t in 1..2 { l = error(y) }\n'
               ' z[i] ~ Normal(l, 1); y[i] ~ Exponential(1) } }\ninfer(lin(x), q(x))', 'neither `loc` nor `logits`'),
            ('draws without gradients', LINEAR.replace('z[i] ~ Normal(0, 1)', 'z[i] ~ Poisson(2)') +
             'guide q(x) for lin { plate i in 1..len(x) { l = 0\n refine l for t in 1..2 { l = l + gradient(l) }\n'
             ' z[i] ~ Poisson(exp(l)) } }\ninfer(lin(x), q(x))', 'no gradient flows')]:
        code, _, err = printed(text)
        check(f'mistake {name}', code == 1 and word in err, f'exit {code}: {err}')


if __name__ == '__main__':
    for test in [closed_forms, gradients, ascent, learned_from_gradients, reaches_and_stays, error_encoder_is_encoder,
                 parameter_gradients, beside_automatic, mean_of_steps, gaps, library, several, elementwise, costs, tape_is_tree, mistakes]:
        test()
    finish()
