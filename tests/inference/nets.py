#!/usr/bin/env python3
"""Layers and flows in inference: what layers compute from their learned parameters, worked out again here; addresses and
shapes of parameters; flows as guide, prior and likelihood against answers that are known; what a wrong shape says."""
import math

from answers import softmax
from programs import check, finish, flat, run


# -- Layers, on lists --

def mm(x, w):
    return [sum(a * row[j] for a, row in zip(x, w)) for j in range(len(w[0]))]


def add(*xs):
    return [sum(t) for t in zip(*xs)]


def sigmoid(v):
    return [1 / (1 + math.exp(-a)) for a in v]


def tanh(v):
    return [math.tanh(a) for a in v]


def dense(x, p):
    y = mm(x, p['w'])
    return add(y, p['b']) if 'b' in p else y


def mlp(x, p):
    return dense(tanh(dense(x, p['layer_1']['dense_1'])), p['layer_2']['dense_1'])


def highway(x, p):
    g, h = sigmoid(add(dense(x, p['dense_1']), p['b'])), [max(a, 0) for a in dense(x, p['dense_2'])]
    return [a * b + (1 - a) * c for a, b, c in zip(g, h, x)]


def layer_norm(x, p):
    m = sum(x) / len(x)
    s = math.sqrt(sum((a - m) ** 2 for a in x) / len(x) + 1e-5)
    return [(a - m) / s * g + b for a, g, b in zip(x, p['scale'], p['shift'])]


def rnn(xs, p):
    h, out, c = [0] * 3, [], p['rnn_cell_1']
    for x in xs:
        h = tanh(add(dense(x, c['dense_1']), dense(h, c['dense_2'])))
        out.append(h)
    return out


def gru(xs, p):
    h, out, c = [0] * 3, [], p['gru_cell_1']
    for x in xs:
        a, b = dense(x, c['dense_1']), dense(h, c['dense_2'])
        r, z = sigmoid(add(a[:3], b[:3])), sigmoid(add(a[3:6], b[3:6]))
        new = tanh([u + v * w for u, v, w in zip(a[6:], r, b[6:])])
        h = [(1 - u) * v + u * w for u, v, w in zip(z, new, h)]
        out.append(h)
    return out


def lstm(xs, p):
    h, s, out, c = [0] * 3, [0] * 3, [], p['lstm_cell_1']
    for x in xs:
        a = add(dense(x, c['dense_1']), dense(h, c['dense_2']))
        i, f, g, o = sigmoid(a[:3]), sigmoid([v + 1 for v in a[3:6]]), tanh(a[6:9]), sigmoid(a[9:])
        s = [u * v + w * y for u, v, w, y in zip(f, s, i, g)]
        h = [u * v for u, v in zip(o, tanh(s))]
        out.append(h)
    return out


def attention_pool(xs, p):
    weights = softmax([dense(tanh(dense(x, p['dense_1'])), p['dense_2'])[0] for x in xs])
    return [sum(w * x[k] for w, x in zip(weights, xs)) for k in range(len(xs[0]))]


def conv2d(x, p, stride=2, padding=1):
    w, b, (h, wide) = p['w'], p['b'], (len(x), len(x[0]))
    k, l = len(w), len(w[0])
    pixel = lambda i, j: x[i][j] if 0 <= i < h and 0 <= j < wide else [0] * len(x[0][0])
    return [[add(b, *(mm(pixel(stride * i - padding + u, stride * j - padding + v), w[u][v]) for u in range(k) for v in range(l)))
             for j in range((wide + 2 * padding - l) // stride + 1)] for i in range((h + 2 * padding - k) // stride + 1)]


def conv2d_transpose(x, p, stride=2, padding=1):
    w, b, (h, wide) = p['w'], p['b'], (len(x), len(x[0]))
    k, l = len(w), len(w[0])
    rows, columns = (h - 1) * stride + k - 2 * padding, (wide - 1) * stride + l - 2 * padding
    y = [[list(b) for _ in range(columns)] for _ in range(rows)]
    for i in range(h):
        for j in range(wide):
            for u in range(k):
                for v in range(l):
                    a, c = stride * i + u - padding, stride * j + v - padding
                    if 0 <= a < rows and 0 <= c < columns:
                        y[a][c] = add(y[a][c], [sum(q * r for q, r in zip(row, x[i][j])) for row in w[u][v]])
    return y


def nest(values):
    """{'a.b': 1} as {'a': {'b': 1}}."""
    out = {}
    for name, value in values.items():
        *path, last = name.split('.')
        at = out
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return out


def residual(x, p):
    return add(x, dense(tanh(dense(x, p['layer_1']['dense_1'])), p['layer_2']['dense_1']))


def pool(x, reduction, size, stride):
    h, wide = len(x), len(x[0])
    return [[[reduction([x[i + u][j + v][c] for u in range(size) for v in range(size)]) for c in range(len(x[0][0]))]
             for j in range(0, wide - size + 1, stride)] for i in range(0, h - size + 1, stride)]


# call, its own parameters within those of its net, and the same on lists of x, im and these
LAYERS = {
    'mlp': ('mlp(x[2], [4, 2], tanh)', 'mlp_1', lambda x, im, p: mlp(x[1], p)),
    'highway': ('highway(x[2])', 'highway_1', lambda x, im, p: highway(x[1], p)),
    'residual': ('residual(x[3], h -> mlp(h, [4, 5], tanh))', 'mlp_1', lambda x, im, p: residual(x[2], p)),
    'layer_norm': ('layer_norm(x[2])', 'layer_norm_1', lambda x, im, p: layer_norm(x[1], p)),
    'embedding': ('embedding(3, 4, 3)', 'embedding_1', lambda x, im, p: p['w'][2]),
    'embeddings': ('embedding([2, 1, 2], 4, 3)', 'embedding_1', lambda x, im, p: [p['w'][k] for k in [1, 0, 1]]),
    'rnn': ('rnn(x, 3)', 'rnn_1', lambda x, im, p: rnn(x, p)),
    'gru': ('gru(x, 3)', 'gru_1', lambda x, im, p: gru(x, p)),
    'lstm': ('lstm(x, 3)', 'lstm_1', lambda x, im, p: lstm(x, p)),
    'attention_pool': ('attention_pool(x, 3)', 'attention_pool_1', lambda x, im, p: attention_pool(x, p)),
    'conv2d': ('conv2d(im, 3, stride = 2, padding = 1)', 'conv2d_1', lambda x, im, p: conv2d(im, p)),
    'conv2d_transpose': ('conv2d_transpose(im, 3, stride = 2, padding = 1)', 'conv2d_transpose_1', lambda x, im, p: conv2d_transpose(im, p)),
    'max_pool': ('max_pool(im)', None, lambda x, im, p: pool(im, max, 2, 2)),
    'mean_pool': ('mean_pool(im, 3, stride = 1)', None, lambda x, im, p: pool(im, lambda v: sum(v) / len(v), 3, 1)),
}


def numbers_in(v):
    """Where the numbers of nested records and lists stand: (container, key)."""
    items = v.items() if isinstance(v, dict) else enumerate(v)
    return [at for key, e in items for at in ([(v, key)] if isinstance(e, (int, float)) else numbers_in(e))]


def density(layers, x, im, params):
    """Of outputs that are all observed as Normal(1, 1), but for a constant."""
    own = lambda name, part: params['f_' + name][part] if part else {}
    return -0.5 * sum((a - 1) ** 2 for name, (_, part, compute) in layers.items() for a in flat(compute(x, im, own(name, part))))


def layers():
    """Trained a little, so that no bias is 0, then worked out from the parameters: values, and the gradient with respect to
    parameters and inputs as one more step of descent, against finite differences."""
    nets = '\n'.join(f'net f_{name}(x, im) = {call}' for name, (call, _, _) in LAYERS.items())
    seen = '\n    '.join(f'observe f_{name}(x, im) ~ Normal(1, 1)' for name in LAYERS)
    values = ', '.join(f'{name}: f_{name}(fit.params.m.x, fit.params.m.im)' for name in LAYERS)
    text = f'''{nets}
model m {{
    param x: real[4, 5] = normal_init(1)
    param im: real[5, 6, 2] = normal_init(1)
    {seen}
}}
fit = infer(m, steps = 30, optimizer = adam(0.01))
fit = infer(m, from = fit, steps = 1, optimizer = sgd(RATE))
save("params.json", fit)
write("out.json", {{{values}}})
'''
    rate = 1e-4
    code, out, _, err = run(text.replace('RATE', '0'))
    check('layers run', code == 0, err)
    if code:
        return
    params, moved = nest(out), nest(run(text.replace('RATE', str(rate)))[1])
    x, im = params['m']['x'], params['m']['im']
    for name, (_, part, compute) in LAYERS.items():
        want, have = flat(compute(x, im, params['f_' + name][part] if part else {})), flat(out[name])
        gap = max((abs(a - b) for a, b in zip(want, have)), default=1) if len(want) == len(have) else math.inf
        check(name, gap < 1e-9, f'{have[:6]} should be {want[:6]}')
    of_images = {k: v for k, v in LAYERS.items() if '(im' in v[0]}
    of_x = {k: v for k, v in LAYERS.items() if 'x' in v[0]}
    parts = [('x', x, moved['m']['x'], of_x), ('im', im, moved['m']['im'], of_images)]
    parts += [(name, params['f_' + name], moved['f_' + name], {name: v}) for name, v in LAYERS.items() if v[1]]
    h = 1e-5
    for name, before, after, which in parts:
        worst = (0, '')
        for (box, key), (other, _) in zip(numbers_in(before), numbers_in(after)):
            start, slope = box[key], (other[key] - box[key]) / rate
            box[key] = start + h
            up = density(which, x, im, params)
            box[key] = start - h
            wanted, box[key] = (up - density(which, x, im, params)) / (2 * h), start
            worst = max(worst, (abs(slope - wanted) / (1 + abs(wanted)), f'{key}: {slope} should be {wanted}'))
        check(f'{name}: gradient', worst[0] < 1e-6 and len(numbers_in(before)) == len(numbers_in(after)) > 0, worst)


def dropout():
    """While training: 0 at the rate, the others grown so that the mean stays; each element and step its own; off elsewhere."""
    text = '''model m {
    param x: real[40, 50] = 1
    plate i in 1..40 { observe dropout(x[i], 0.3) ~ Normal(0, 1) }
}
fit = infer(m, method = svi(ELBO(particles = 1)), steps = STEPS, optimizer = sgd(0.001))
save("params.json", fit)
write("out.json", {elbo: fit.elbo, plain: dropout([1, 2], 0.9)})
'''
    # the gradient of -y^2 / 2 at y = mask x / 0.7 is -mask / 0.49
    code, out, _, err = run(text.replace("STEPS", "1"))
    slopes = [(1 - a) / 0.001 * 0.49 for a in flat(out['m.x'])]
    kept = sum(a > 0.5 for a in slopes)
    check('dropout: kept or not', code == 0 and all(min(abs(a), abs(a - 1)) < 1e-6 for a in slopes), f'{slopes[:9]} {err}')
    check('dropout: how many', abs(kept / 2000 - 0.7) < 0.04, kept)
    check('dropout: elements differ', len(set(map(tuple, [[a > 0.5 for a in slopes[k:k + 50]] for k in range(0, 2000, 50)]))) == 40)
    check('dropout: off outside training', out['plain'] == [1, 2] and
          abs(out['elbo'] + sum(a * a / 2 for a in flat(out['m.x'])) + 1000 * math.log(2 * math.pi)) < 1e-8, out['elbo'])
    code, more, _, err = run(text.replace("STEPS", "2"))
    both = [(a - b) / 0.001 * 0.49 > 0.5 for a, b in zip(flat(out['m.x']), flat(more['m.x']))]
    check('dropout: steps differ', 0.3 < sum(a == (b > 0.5) for a, b in zip(both, slopes)) / 2000 < 0.75, both[:9])


def initialisers():
    """Their moments (Glorot and Bengio 2010; He et al. 2015), columns that are orthogonal (Saxe et al. 2014)."""
    wide = {'glorot()': (math.sqrt(6 / 500), math.sqrt(2 / 500)), 'he()': (None, math.sqrt(2 / 300)), 'lecun()': (None, math.sqrt(1 / 300)),
            'normal_init(0.3)': (None, 0.3), 'uniform_init(0.2)': (0.2, 0.2 / math.sqrt(3)), 'zeros': (0, 0)}
    nets = '\n'.join(f'net f{k}() {{\n    param w: real[300, 200] = {init}\n    w\n}}' for k, init in enumerate(wide))
    code, out, _, err = run(f'''{nets}
net o(n, k) {{
    param w: real[n, k] = orthogonal()
    w
}}
net p(n, k) {{
    param w: real[n, k] = orthogonal()
    w
}}
net c() {{
    param w: real[3, 4, 20, 30] = glorot()
    w
}}
a = o(7, 4)
b = p(3, 6)
write("out.json", {{moments: [{', '.join(f'[mean(f{k}()), sd(f{k}()), max(abs(f{k}()))]' for k in range(len(wide)))}], tall: t(a) @ a, flat: b @ t(b), conv: max(abs(c()))}})
''')
    check('initialisers run', code == 0, err)
    if code:
        return
    for (init, (most, sd)), (mean, spread, largest) in zip(wide.items(), out['moments']):
        check(f'{init}: mean', abs(mean) <= 4 * sd / math.sqrt(60000), mean)
        check(f'{init}: spread', abs(spread - sd) <= 0.02 * sd, f'{spread} should be {sd}')
        check(f'{init}: bound', most is None or 0.99 * most <= largest <= most, f'{largest} should be at most {most}')
    for name, n in [('tall', 4), ('flat', 3)]:
        check(f'orthogonal, {name}', all(abs(v - (i == j)) < 1e-12 for i, row in enumerate(out[name]) for j, v in enumerate(row)), out[name])
    check('glorot of a convolution', 0.98 < out['conv'] / math.sqrt(6 / (3 * 4 * (20 + 30))) <= 1, out['conv'])


def addresses():
    """Paths of calls; the same net in model and guide shares, layers outside nets belong to model or guide."""
    text = '''net enc(x) = dense(dense(x, 3) |> tanh, 4)
fn block(x) = dense(x, 2)
model m(x) {
    plate i in 1..3 {
        z[i] ~ Normal(sum(enc(x[i])), 1)
        observe sum(block(x[i])) ~ Normal(z[i], 1)
    }
}
guide q(x) for m {
    plate i in 1..3 {
        param s: positive = 1
        z[i] ~ Normal(dense(enc(x[i]), 1)[1], s)
    }
}
fit = infer(m(draw(Normal(0, 1)[3, 2])), q(draw(Normal(0, 1)[3, 2])), steps = 10)
print(fit.params.enc.dense_1.w |> shape, fit.params.enc.dense_2.w |> shape, keys(fit.params))
print(fit.params.m.block_1.dense_1.w |> shape, fit.params.q.dense_1.b |> shape, fit.params.q.s |> shape)
'''
    code, _, prints, err = run(text)
    check('addresses', code == 0 and prints == ['[2, 3] [3, 4] ["q", "enc", "m"]', '[2, 2] [1] [3]'], f'{prints} {err}')


def initial_values():
    """They belong to the address and the seed: the order of calls does not matter."""
    one = run('net f(x) = dense(x, 2)\nnet g(x) = dense(x, 2)\nprint(f([1, 2]))\nprint(g([1, 2]))\n')[2]
    two = run('net f(x) = dense(x, 2)\nnet g(x) = dense(x, 2)\na = g([1, 2])\nprint(f([1, 2]))\nprint(a)\n')[2]
    check('initial values', one == two and one[0] != one[1], f'{one} {two}')


FLOW = '''data v = 3
w = [1, 2]
model m {
    h ~ Normal(0, 1)[2]
    v ~ Normal(w @ h, 1)
}
'''
EVIDENCE = -2.5648182679


def flow_guides():
    """An affine flow of a normal is any normal: the exact posterior, the ELBO the evidence."""
    guides = {'affine': 'guide q for m { h ~ Transformed(Normal(0, 1)[2], affine_flow(2)) }\n'
                        'fit = infer(m, q, steps = 4000, optimizer = adam(0.02, schedule = cosine(0.01)))\n',
              'planar': 'guide q for m {\n    param s: positive[2] = 1\n'
                        '    h ~ Transformed(Normal(0, s), flow_chain([planar_flow(2), planar_flow(2), affine_flow(2)]))\n}\n'
                        'fit = infer(m, q, steps = 4000, optimizer = adam(0.01, schedule = cosine(0.01)))\n',
              'auto_iaf': 'fit = infer(m, auto_iaf(), steps = 3000, optimizer = adam(0.005, schedule = cosine(0.01)))\n'}
    for name, text in guides.items():
        program = FLOW + text + 'write("out.json", {elbo: fit.elbo, mean: mean(fit.h, dim = 1), cov: cov(fit.h), trace: fit.trace})\n'
        code, out, _, err = run(program)
        if code:
            check(name, False, err)
            continue
        within = 1e-2 if name == 'planar' else 2e-3
        check(f'{name}: ELBO', abs(out['elbo'] - EVIDENCE) < within, out['elbo'])
        check(f'{name}: mean', max(abs(a - b) for a, b in zip(out['mean'], [0.5, 1])) < 0.06, out['mean'])
        check(f'{name}: covariance', max(abs(a - b) for a, b in zip(flat(out['cov']), [5 / 6, -1 / 3, -1 / 3, 1 / 3])) < 0.06,
              out['cov'])
        check(f'{name}: tree and tape', run(program, walk=True)[1] == out)


def flow_likelihood():
    """The maximum likelihood of an affine flow is the sample's mean and covariance."""
    code, out, _, err = run('''x = [[1, 2], [0, -1], [3, 0.5], [0.3, 0.2]]
model m(x) {
    plate i in 1..nrow(x) { x[i] ~ Transformed(Normal(0, 1)[2], affine_flow(2)) }
}
fit = infer(m(x), steps = 3000, optimizer = adam(0.02))
best = MultivariateNormal(mean(x, dim = 1), cov = cov(x) * 3 / 4)
write("out.json", {elbo: fit.elbo, best: sum(logpdf(best, x)), shift: fit.params.m.affine_flow_1.shift})
''')
    check('flow likelihood', code == 0 and abs(out['elbo'] - out['best']) < 1e-4 and
          max(abs(a - b) for a, b in zip(out['shift'], [1.075, 0.425])) < 1e-2, f'{out} {err}')


def flow_amortised():
    """A flow guide that an encoder steers, on data never seen."""
    code, out, _, err = run('''x = draw(MultivariateNormal([0, 0], cov = [[3, -1], [-1, 6]])[440])
model m(x) {
    plate i in 1..nrow(x) {
        z[i] ~ Normal(0, 1)[2]
        x[i] ~ Normal([z[i][1] + z[i][2], z[i][1] - 2 * z[i][2]], 1)
    }
}
guide q(x) for m {
    plate i in 1..nrow(x) {
        h = dense(x[i], 4)
        z[i] ~ Transformed(Normal(h[1..2], softplus(h[3..4])), flow_chain([iaf_flow(2, context = x[i]), coupling_flow(2, swap = true)]))
    }
}
fit = infer(m(x[1..400]), q(x[1..400]), batch = {i: 100}, steps = 3000, optimizer = adam(0.01, schedule = cosine(0.01)))
new = x[401..440]
gap = mean(logpdf(MultivariateNormal([0, 0], cov = [[3, -1], [-1, 6]]), new) - elbo(fit, m(new), q(new), samples = 50))
write("out.json", {gap: gap})
''')
    check('amortised flow', code == 0 and -0.005 < out['gap'] < 0.03, f'{out} {err}')


def flow_prior():
    """A prior that is a flow: its marginal likelihood by importance sampling and by the guide agree."""
    code, out, _, err = run('''data x = [[1, 2], [0, -1], [3, 0.5]]
model m {
    z ~ Transformed(Normal(0, 1)[2], {forward: z -> (2 * z + 1, 2 * log(2)), inverse: x -> ((x - 1) / 2, 2 * log(2))})
    plate i in 1..3 { x[i] ~ Normal(z, 1) }
}
fit = infer(m, steps = 2000)
write("out.json", {elbo: fit.elbo, exact: sum(map(k -> logpdf(MultivariateNormal([1, 1, 1], cov = eye(3) + 4 * ones(3, 3)), x[:, k]), 1..2))})
''')
    check('flow prior', code == 0 and abs(out['elbo'] - out['exact']) < 5e-3, f'{out} {err}')


LINEAR = '''net line(x) = dense(x, 1, bias = false)[1]
x = [[1, 0], [1, 1], [1, 2]]
exact = logpdf(MultivariateNormal([0, 0, 0], cov = eye(3) + 4 * x @ t(x)), [1, 3, 5])
'''


def lifted():
    """A Bayesian linear regression: its evidence is known, whether the plate runs at once or one by one."""
    bodies = {'at once': 'y[i] ~ Normal(g(x[i]), 1)', 'one by one': 'n = sum(1..round(x[i][2]))\n y[i] ~ Normal(g(x[i]) + 0 * n, 1)'}
    for name, body in bodies.items():
        code, out, _, err = run(LINEAR + f'''model m(x, y) {{
    g ~ lift(line, Normal(0, 2))
    plate i in 1..3 {{ {body} }}
}}
fit = infer(m(x, [1, 3, 5]), auto_mvn())
write("out.json", {{elbo: fit.elbo, exact: exact, draws: shape(fit.g.dense_1.w), mean: mean(fit.g.dense_1.w, dim = 1)}})
''')
        check(f'lift, {name}', code == 0 and abs(out['elbo'] - out['exact']) < 2e-3 and out['draws'] == [4000, 2, 1] and
              abs(out['mean'][1][0] - 1.9302) < 0.1, f'{out} {err}')
    code, _, prints, err = run(LINEAR + '''model part(x) {
    g ~ lift(line, dims -> Normal(zeros(dims), 2))
    return g
}
model m(x, y) {
    a ~ part(x)
    b ~ part(x)
    plate i in 1..3 { y[i] ~ Normal(a(x[i]) + b(x[i]), 1) }
}
r = simulate(m(x, missing[3]), 5)
print(shape(r.a.g.dense_1.w), shape(r.y), any(r.a.g.dense_1.w == r.b.g.dense_1.w))
fit = infer(m(x, [1, 3, 5]), auto_mvn())
new = predict(fit, m(x, missing[3]))
print(abs(fit.elbo - logpdf(MultivariateNormal([0, 0, 0], cov = eye(3) + 8 * x @ t(x)), [1, 3, 5])) < 0.01)
print(max(abs(mean(new.y, dim = 1) - [1, 3, 5])) < 0.3)
''')
    check('lift in nested models', code == 0 and prints == ['[5, 2, 1] [5, 3] false', 'true', 'true'], f'{prints} {err}')
    wrong = [('g ~ lift(exp, Normal(0, 1))', 'a net is lifted'), ('g ~ lift(line, 3)', 'the prior of the parameters is a distribution'),
             ('g ~ lift(line, Normal([0, 1, 2], 1))', '`g.dense_1.w` has shape [2, 1], its prior [3]'),
             ('g ~ lift(scaled, Normal(0, 1))', '`g.s` is declared positive, its prior draws real numbers')]
    for line, words in wrong:
        code, _, _, err = run(f'''net line(x) = dense(x, 1, bias = false)[1]
net scaled(x) {{
    param s: positive = 1
    s * x[1]
}}
model m {{
    {line}
    a ~ Normal(g([1, 2]), 1)
}}
simulate(m)
''')
        check(f'{line}: message', code == 1 and words in err and 'p.ppl:7' in err, err)


def wrong_shapes():
    code, _, _, err = run('''net enc(x) {
    h = dense(x, 3)
    mlp(h, [4, 2])
}
model m(x) {
    plate i in 1..3 { observe sum(enc(x[i])) ~ Normal(0, 1) }
}
fit = infer(m([[1, 2], [3, 4], [5, 6]]), steps = 5)
print(enc([1, 2, 3]))
''')
    words = ['p.ppl:2:9', 'h = dense(x, 3)', 'enc.dense_1.w', 'shape [3, 3]', '[2, 3]', 'in the net `dense` (enc.dense_1), called at p.ppl:2:9',
             'in the net `enc` (enc), called at p.ppl:9:7']
    check('wrong shape', code == 1 and all(w in err for w in words), err)


for test in [layers, dropout, initialisers, addresses, initial_values, flow_guides, flow_likelihood, flow_amortised, flow_prior, lifted, wrong_shapes]:
    test()
finish()
