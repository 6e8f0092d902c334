#!/usr/bin/env python3
"""Flows: their densities integrate to one in two dimensions, and they fit what no normal does, a funnel of known evidence."""
from programs import answer, check, finish, near

INIT = 'normal_init(0.6)'
FLOWS = {
    'affine': 'affine_flow(2)', 'planar': 'planar_flow(2)', 'coupling': f'coupling_flow(2, init = {INIT})',
    'coupling, swapped': f'coupling_flow(2, swap = true, context = [0.3], init = {INIT})',
    'spline': f'spline_flow(2, bins = 5, init = {INIT})', 'spline, swapped': f'spline_flow(2, swap = true, init = {INIT})',
    'iaf': f'iaf_flow(2, init = {INIT})',
    'chain': 'flow_chain([iaf_flow(2, init = normal_init(0.3)), reverse_flow(), coupling_flow(2, init = normal_init(0.3))])',
}


def densities():
    """The trapezoid rule on a grid whose edges hold nothing; a wrong log determinant shows."""
    for name, flow in FLOWS.items():
        out = answer(name, f'''net make() = {flow}
d = Transformed(Normal([0.3, -0.2], [1, 0.8]), make())
h = 0.08
side = seq(-125, 125) * h
n = len(side)
points = stack(flatten(reshape(side, n, 1) + zeros(n, n)), flatten(reshape(side, 1, n) + zeros(n, n)), dim = 2)
lp = logpdf(d, points)
x = draw(d[2000])
write("out.json", {{total: sum(exp(lp)) * h ^ 2, mean: sum(exp(lp) * points[:, 1]) * h ^ 2, drawn: mean(x[:, 1]), sd: sd(x[:, 1])}})
''')
        if out:
            near(f'{name}: integral', out['total'], 1, 5e-3)
            near(f'{name}: mean of draws', out['drawn'], out['mean'], 5 * out['sd'] / 2000 ** 0.5)


def known():
    """A planar flow worked out by hand; an affine one of N(0, 1) is the posterior of v ~ N(w h, 1), h ~ N(0, 1)^2 with all its
    correlation: its ELBO is the evidence."""
    out = answer('planar', '''(x, d) = planar([0.5, -0.3], [0.4, 0.2], [1, -0.5], 0.1)
write("out.json", {x: x, d: d})
''')
    if out:
        near('planar: first', out['x'][0], 0.7540595810, 1e-10), near('planar: second', out['x'][1], -0.1729702095, 1e-10)
        near('planar: log determinant', out['d'], 0.1646460467, 1e-10)
    out = answer('affine', '''model m { h ~ Normal(0, 1)[2]; observe h[1] + 2 * h[2] ~ Normal(3, 1) }
guide q for m { h ~ Transformed(Normal(0, 1)[2], affine_flow(2)) }
fit = infer(m, q, steps = 3000, method = svi(ELBO(particles = 128)), optimizer = adam(0.03, schedule = cosine(0.001)))
write("out.json", {elbo: fit.elbo, mcse: fit.elbo_mcse, mean: mean(fit.h, dim = 1), cov: cov(fit.h)})
''')
    if out:
        near('affine: ELBO', out['elbo'], -2.5648182679, 8e-4)
        near('affine: nearly the same at every draw', out['mcse'], 0, 5e-4)
        for k, want in enumerate([0.5, 1]):
            near(f'affine: mean {k}', out['mean'][k], want, 0.06)
        for i, j, want in [(0, 0, 5 / 6), (0, 1, -1 / 3), (1, 1, 1 / 3)]:
            near(f'affine: covariance {i} {j}', out['cov'][i][j], want, 0.06)


# v ~ N(0, 1.5), x ~ N(0, exp(v / 2)): written as a density, so that nothing is non-centred. Its evidence is 1.
FUNNEL = '''model funnel {
    z ~ Normal(0, 1)[2]
    factor logpdf(Normal(0, 1.5), z[1]) + logpdf(Normal(0, exp(z[1] / 2)), z[2]) - sum(logpdf(Normal(0, 1), z))
}
'''
GUIDES = {
    'auto_normal': 'fit = infer(funnel, auto_normal())',
    'auto_iaf': 'fit = infer(funnel, auto_iaf(), steps = 4000, optimizer = adam(0.01, schedule = cosine(0.01)))',
    'by hand': '''guide q for funnel { z ~ Transformed(Normal(0, 1)[2], flow_chain([affine_flow(2), coupling_flow(2, hidden = [16])])) }
fit = infer(funnel, q, steps = 4000, method = svi(ELBO(particles = 8)), optimizer = adam(0.01, schedule = cosine(0.01)))''',
}


def funnel():
    got = {}
    for name, text in GUIDES.items():
        out = answer(f'funnel, {name}', FUNNEL + text + '''
write("out.json", {elbo: fit.elbo, mcse: fit.elbo_mcse, sd: sd(fit.z[:, 1]), khat: fit.khat, evidence: log_evidence(fit, samples = 5000)})
''')
        got[name] = out
        if out:
            check(f'funnel, {name}: ELBO below the evidence', out['elbo'] < 4 * out['mcse'], out)
    if all(got.values()):
        check('funnel: what a normal leaves', got['auto_normal']['elbo'] < -0.1, got)
        for name in ('auto_iaf', 'by hand'):
            near(f'funnel, {name}: ELBO', got[name]['elbo'], 0, 0.02), near(f'funnel, {name}: sd', got[name]['sd'], 1.5, 0.12)
            near(f'funnel, {name}: evidence', got[name]['evidence'], 0, 0.02)


for test in [densities, known, funnel]:
    test()
finish()
