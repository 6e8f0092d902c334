#!/usr/bin/env python3
"""batch_norm: values, gradients and running averages against a computation in Python, in training and outside; the answers
that are known of nets that contain it."""
import math

from programs import check, finish, flat, near, run

X = [[1.0, -2.0], [0.5, 3.0], [2.5, 0.25], [-1.0, 1.0], [4.0, -0.5]]
Y = [1.0, -0.5, 2.0, 0.25, 3.0]
W = [[0.5, -0.25, 1.0], [0.75, 0.5, -0.5]]
V = [0.7, -1.1, 0.4]
DATA = f'x = {X}\ny = {Y}\n'
NET = DATA + f'''net f(x) {{
    param w: real[2, 3] = {W}
    param v: real[3] = {V}
    sum(tanh(batch_norm(x @ w)) * v)
}}
model m(x, y) {{
    plate i in 1..nrow(x) {{ y[i] ~ Normal(f(x[i]), 1) }}
}}
'''
AVERAGES = DATA + '''net f(x) = batch_norm(x, share = SHARE)
model m(x, y) {
    plate i in 1..nrow(x) { y[i] ~ Normal(sum(f(x[i])), 1) }
}
'''
KEEP = 'save("params.json", fit)\nwrite("out.json", {trace: fit.trace, elbo: fit.elbo})\n'
MEAN, VARIANCE = 'f.batch_norm_1.mean', 'f.batch_norm_1.variance'


def moments(rows):
    mean = [sum(c) / len(c) for c in zip(*rows)]
    return mean, [sum((a - m) ** 2 for a in c) / len(c) for c, m in zip(zip(*rows), mean)]


def normalised(rows, mean, variance, scale, shift):
    return [[(a - m) / math.sqrt(v + 1e-5) * s + t for a, m, v, s, t in zip(row, mean, variance, scale, shift)] for row in rows]


def hidden(w, x=X):
    return [[sum(a * w[j][k] for j, a in enumerate(row)) for k in range(3)] for row in x]


def density(p):
    """The log density in training, of the numbers w (6), v (3), scale (3), shift (3)."""
    h = hidden([p[:3], p[3:6]])
    out = [sum(math.tanh(a) * b for a, b in zip(row, p[6:9])) for row in normalised(h, *moments(h), p[9:12], p[12:15])]
    return sum(-0.5 * (a - b) ** 2 - 0.5 * math.log(2 * math.pi) for a, b in zip(out, Y))


def in_order(out):
    return sum((flat(out[name]) for name in ['f.w', 'f.v', 'f.batch_norm_1.scale', 'f.batch_norm_1.shift']), [])


def close(name, have, want, within=1e-12):
    have, want = flat(have), flat(want)
    gap = max((abs(a - b) for a, b in zip(have, want)), default=0) if len(have) == len(want) else math.inf
    check(name, gap <= within, f'{have} should be {want}')


def both(name, text, *args):
    """What walking the tree writes is what the tape writes, and what two threads write."""
    code, out, prints, err = run(text, *args)
    check(f'{name}: runs', code == 0, err)
    check(f'{name}: tree and tape', run(text, *args, walk=True)[1] == out)
    check(f'{name}: threads', run(text, *args, '--threads', '2')[1] == out)
    return out


def training():
    """The value, and the gradient as one step of descent, against finite differences."""
    rate, p = 1e-3, flat(W) + V + [1] * 3 + [0] * 3
    out = both('one step', NET + f'fit = infer(m(x, y), steps = 1, optimizer = sgd({rate}))\n' + KEEP)
    near('value in training', out['trace'][0], density(p), 1e-10)
    for k, (after, before) in enumerate(zip(in_order(out), p)):
        h = 1e-5
        slope = (density(p[:k] + [before + h] + p[k + 1:]) - density(p[:k] + [before - h] + p[k + 1:])) / (2 * h)
        near(f'gradient {k}', (after - before) / rate, slope, 1e-7)
    code, single, _, err = run(NET + f'fit = infer(m(x, y), steps = 1, optimizer = sgd({rate}))\n' + KEEP, '--precision', 'single')
    near('value in single precision', single['trace'][0], density(p), 1e-4)


def recurrence():
    """The steps of averages know no optimizer, no rate, no clipping."""
    mean, variance = moments(hidden(W))
    for how in ['optimizer = adam(0.1, schedule = cosine(), clip = 1e-9), rates = {"*": 0}', 'optimizer = sgd(0, schedule = cosine())',
                'optimizer = rmsprop(0, schedule = cosine())']:
        out = both(how, NET + f'fit = infer(m(x, y), steps = 7, {how})\n' + KEEP)
        left = 0.9 ** 7
        close(f'{how}: mean', out[MEAN], [(1 - left) * a for a in mean])
        close(f'{how}: variance', out[VARIANCE], [left + (1 - left) * a for a in variance])
        close(f'{how}: the others stay', in_order(out), flat(W) + V + [1] * 3 + [0] * 3, 0)


def batches():
    """Averages that go all the way are those of the last batch; a batch of one element leaves them as they are."""
    text = '''x = 2 ^ reshape(seq(0, 8), 9, 1)
net f(x) = batch_norm(x, share = 1)
model m(x) {
    plate i in 1..9 { observe f(x[i])[1] ~ Normal(0, 1) }
}
fit = infer(m(x), batch = {i: 4}, steps = STEPS, optimizer = sgd(0, schedule = cosine()))
save("params.json", fit)
'''
    seen = []
    for steps in range(1, 8):
        out = both(f'{steps} batches', text.replace('STEPS', str(steps)))
        total = round(out[MEAN][0] * 4)
        members = [2.0 ** k for k in range(9) if total >> k & 1]
        check(f'{steps} batches: four elements', abs(out[MEAN][0] * 4 - total) < 1e-9 and len(members) == 4, out)
        close(f'{steps} batches: variance', out[VARIANCE], moments([[a] for a in members])[1], 1e-9)
        seen.append(members)
    check('the rest of one element', seen[2] == seen[1] and seen[5] == seen[4] and seen[3] != seen[2], seen)
    check('an epoch', len(set(seen[0] + seen[1])) == 8, seen)


def evaluation():
    """Outside training: the running averages, for one element and for new data; from a file as well."""
    text = NET + '''fit = infer(m(x, y), steps = 20, optimizer = adam(0.05, schedule = cosine()))
new = [[3, 1], [-2, 0.5]]
alone = f(new[1])
apart = map(k -> f(new[k]), 1..2)
score = elbo(fit, m(new, [1, 2]))
drawn = mean(predict(fit, m(new, missing[2])).y, dim = 1)
save("net.safetensors", fit)
again = load("net.safetensors")
write("out.json", {alone: alone, apart: apart, score: score, drawn: drawn, loaded: map(k -> f(new[k]), 1..2), elbo: fit.elbo})
save("params.json", fit)
'''
    out = both('evaluation', text)
    new, p = [[3, 1], [-2, 0.5]], in_order(out)

    def value(rows):
        rows = normalised(hidden([p[:3], p[3:6]], rows), out[MEAN], out[VARIANCE], p[9:12], p[12:15])
        return [sum(math.tanh(a) * b for a, b in zip(row, p[6:9])) for row in rows]

    want = value(new)
    score = lambda have, y: sum(-0.5 * (a - b) ** 2 - 0.5 * math.log(2 * math.pi) for a, b in zip(have, y))
    close('one element', out['alone'], want[0])
    close('new data', out['apart'], want)
    close('from a file', out['loaded'], want)
    near('elbo of new data', sum(flat(out['score'])), score(want, [1, 2]), 1e-10)
    near('elbo of the fit', out['elbo'], score(value(X), Y), 1e-10)
    close('prediction', out['drawn'], want, 0.1)


def held_out():
    """Held-out data see the averages so far, not their own."""
    out = both('held out', NET + '''fit = infer(m(x, y), steps = 6, optimizer = sgd(0), held_out = m([[3, 1], [-2, 0.5]], [1, 2]), every = 1)
write("out.json", {values: fit.held_out, steps: fit.held_out_steps})
''')
    mean, variance = moments(hidden(W))
    new = hidden(W, [[3, 1], [-2, 0.5]])
    for k, have in zip(out['steps'], out['values']):
        left = 0.9 ** k
        rows = normalised(new, [(1 - left) * a for a in mean], [left + (1 - left) * a for a in variance], [1] * 3, [0] * 3)
        f = [sum(math.tanh(a) * b for a, b in zip(row, V)) for row in rows]
        want = sum(-0.5 * (a - b) ** 2 - 0.5 * math.log(2 * math.pi) for a, b in zip(f, [1, 2]))
        near(f'held out after {k}, per element', have, want / 2, 1e-10)
    check('held out: all steps', len(out['values']) == 6, out)


def shapes():
    """Nested plates, dimensions in front, one layer on two data sets, particles: what the averages are of."""
    x = [[[1, 5, 2], [2, 0, 4]], [[3, 1, 1], [0.5, -1, 2]], [[2, 2, -3], [1, 0, 0]], [[0, 1, 7], [4, 4, 1]]]
    rows = [[a] for element in x for row in element for a in row]
    bodies = {
        'nested plates': ('plate i in 1..4, j in 1..2 { observe sum(f(x[i, j])) ~ Normal(0, 1) }', [row for e in x for row in e]),
        'dimensions in front': ('plate i in 1..4 { observe sum(f(x[i])) ~ Normal(0, 1) }', [row for e in x for row in e]),
        'no plate': ('observe sum(f(x)) ~ Normal(0, 1)', [row for e in x for row in e]),
        'one number': ('plate i in 1..4, j in 1..2, k in 1..3 { observe sum(f(x[i, j, k])) ~ Normal(0, 1) }', rows)}
    for name, (body, values) in bodies.items():
        out = both(name, f'x = {x}\nnet f(x) = batch_norm(x, share = 1)\nmodel m {{\n    {body}\n}}\nfit = infer(m, steps = 1)\nsave("params.json", fit)\n')
        close(f'{name}: mean', out[MEAN], moments(values)[0])
        close(f'{name}: variance', out[VARIANCE], moments(values)[1])
    out = both('two data sets', AVERAGES.replace('SHARE', '0.5').replace('\n}\n', '\n    plate j in 1..2 { observe sum(f(3 * x[j])) ~ Normal(0, 1) }\n}\n') +
               'fit = infer(m(x, y), steps = 1)\n' + KEEP)
    one, two = moments(X), moments([[3 * a for a in row] for row in X[:2]])
    close('two data sets: mean', out[MEAN], [(a + b) / 4 for a, b in zip(one[0], two[0])])
    close('two data sets: variance', out[VARIANCE], [0.5 + (a + b) / 4 for a, b in zip(one[1], two[1])])
    latent = AVERAGES.replace('SHARE', '1').replace('plate i', 's ~ Normal(0, 1)\n    plate i').replace('f(x[i])', 'f(x[i] + s)') + '''
guide q(x, y) for m {
    param loc = 2
    s ~ Normal(loc, 1e-7)
}
fit = infer(m(x, y), q(x, y), method = svi(OBJECTIVE), steps = 1, optimizer = sgd(0))
''' + KEEP
    for objective in ['ELBO(particles = 5)', 'IWAE(3)', 'ELBO(particles = 1)']:
        out = both(objective, latent.replace('OBJECTIVE', objective))
        close(f'{objective}: mean', out[MEAN], [a + 2 for a in moments(X)[0]], 1e-6)
        close(f'{objective}: variance', out[VARIANCE], moments(X)[1], 1e-6)
    nested = '''net f(x) = batch_norm(x, share = 1)
model part(x) {
    plate i in 1..5 { observe sum(f(x[i])) ~ Normal(0, 1) }
}
model m {
    s ~ part(x)
}
fit = infer(m, steps = 1)
save("params.json", fit)
'''
    close('a nested model', both('a nested model', DATA + nested)[MEAN], moments(X)[0])


def least_squares():
    """The best linear predictor does not change with the scale of its inputs: svi and map find that of least squares."""
    text = DATA + '''net f(x) = dense(batch_norm(x), 1)[1]
model m(x, y) {
    plate i in 1..nrow(x) { y[i] ~ Normal(f(x[i]), 1) }
}
best = (b -> x1 @ b)(solve(t(x1) @ x1, t(x1) @ y))
fit = infer(m(x, y), HOW)
write("out.json", {gap: max(abs(best - map(k -> f(x[k]), 1..5))), elbo: fit.elbo, log_density: fit.log_density})
save("params.json", fit)
'''.replace('net f', 'x1 = concat(x, ones(5, 1), dim = 2)\nnet f')
    for how, field in [('method = map()', 'log_density'), ('steps = 4000, optimizer = adam(0.05, schedule = cosine(0.001))', 'elbo')]:
        out = both(how, text.replace('HOW', how).replace(', elbo: fit.elbo, log_density: fit.log_density', f', value: fit.{field}'))
        check(how, out['gap'] < 2e-4, out)
        close(f'{how}: averages', [out[MEAN], out[VARIANCE]], list(moments(X)), 1e-9)


def amortised():
    """z ~ N(0, 1), x | z ~ N(z, 1): an encoder with batch_norm reaches N(x/2, 1/2), on data never seen, in batches."""
    out = both('encoder', '''x = draw(Normal(0, sqrt(2))[300])
new = [-1.5, 0, 2]
model m(x) {
    plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) }
}
net enc(x) {
    h = batch_norm(x)
    (dense(h, 1)[1], exp(dense(0 * h, 1)[1]))
}
guide q(x) for m {
    plate i in 1..len(x) { (l, s) = enc(x[i]); z[i] ~ Normal(l, s) }
}
fit = infer(m(x), q(x), batch = {i: 64}, epochs = 300, optimizer = adam(0.01, schedule = cosine(0.01)), draws = 10)
draws = posterior(fit, q(new), 20000).z
write("out.json", {mean: mean(draws, dim = 1), sd: sd(draws, dim = 1), gap: mean(logpdf(Normal(0, sqrt(2)), x) - elbo(fit, m(x), q(x), samples = 100))})
''')
    close('encoder: means', out['mean'], [-0.75, 0, 1], 0.06)
    close('encoder: standard deviations', out['sd'], [math.sqrt(0.5)] * 3, 0.06)
    check('encoder: ELBO', -0.003 < out['gap'] < 0.01, out['gap'])


def resumed():
    """A training in two pieces is one in one piece, to the bit."""
    text = '''x = draw(Normal(0, sqrt(2))[50])
model m(x) {
    plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) }
}
net enc(x) = dense(tanh(dense(batch_norm(x), 3)), 1)[1]
guide q(x) for m {
    plate i in 1..len(x) { z[i] ~ Normal(enc(x[i]), 0.7) }
}

HALF
fit = infer(m(x), q(x), batch = {i: 16}, steps = 30, draws = 10, checkpoint = "c")
save("params.json", fit)
write("out.json", {trace: fit.trace, elbo: fit.elbo})
'''
    whole = both('in one piece', text.replace('HALF', ''))
    for n in [1, 13, 26]:
        code, out, _, err = run(text.replace('HALF', f'half = infer(m(x), q(x), batch = {{i: 16}}, steps = {n}, draws = 10, checkpoint = "c")'))
        check(f'resumed after {n}', code == 0 and out == whole, f'{err} {out} {whole}')


def late():
    """Structures, and averages with them, that appear after some steps: the file knows them, wherever the training was cut."""
    text = '''x = draw(Normal(0, sqrt(2))[50])
net enc(x) = dense(tanh(dense(batch_norm(x), 3)), 1)[1]
net far(x) {
    param s: positive[2] = 1
    sum(s) * batch_norm(x)[1]
}
model m(x) {
    k ~ Poisson(2)
    if k > 4 { plate i in 1..len(x) { observe enc(x[i]) ~ Normal(0, 1) } }
    if k == 0 { plate i in 1..len(x) { observe far(x[i]) ~ Normal(0, 1) } }
    plate i in 1..len(x) { x[i] ~ Normal(0 * k, 1) }
}
guide q(x) for m {
    param r: positive = 2
    k ~ Poisson(r)
}
HALF
fit = infer(m(x), q(x), steps = 40, draws = 10, method = svi(ELBO(particles = 2)), optimizer = adam(0.01, clip = 3), checkpoint = "c")
write("out.json", {trace: fit.trace, elbo: fit.elbo})
save("params.json", fit)
'''
    half = 'fit = infer(m(x), q(x), steps = STEPS, draws = 10, method = svi(ELBO(particles = 2)), optimizer = adam(0.01, clip = 3), checkpoint = "c")'
    whole = both('late, in one piece', text.replace('HALF', ''))
    check('late: two nets', any(k.startswith('far') for k in whole) and any(k.startswith('enc') for k in whole), whole.keys())
    for n in [1, 6, 15, 39]:
        code, out, _, err = run(text.replace('HALF', half.replace('STEPS', str(n))))
        check(f'late, resumed after {n}', code == 0 and out == whole, f'{err} {out} {whole}')


def lifted():
    """The averages of a lifted net are learned as ever: they have no prior."""
    out = both('lifted', '''x = [[1, 5], [2, 0], [3, 1], [6, 2]]
net f(x) = sum(batch_norm(x, share = 1))
model m {
    g ~ lift(f, Normal(0, 1))
    plate i in 1..4 { observe g(x[i]) ~ Normal(1, 1) }
}
fit = infer(m, steps = 50)
save("params.json", fit)
write("out.json", {shift: shape(fit.g.batch_norm_1.shift), names: len(keys(fit.g.batch_norm_1))})
r = predict(fit, m)
''')
    close('lifted: mean', out['g.batch_norm_1.mean'], [3, 2])
    check('lifted: two variables', out['shift'] == [4000, 2] and out['names'] == 2, out)


for test in [training, recurrence, batches, evaluation, held_out, shapes, least_squares, amortised, resumed, late, lifted]:
    test()
finish()
