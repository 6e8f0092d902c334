#!/usr/bin/env python3
"""Learned guides: minibatches, inference networks on new data, parameters in files.

The models are linear and Gaussian, so that posteriors and evidences are known: z ~ N(0, 1), x | z ~ N(z, 1) has the posterior
N(x / 2, 1 / 2) and the evidence N(x; 0, 2).
"""
import math, tempfile

from programs import check, finish, near, numbers, printed


LINEAR = '''
data x = draw(Normal(0, sqrt(2))[400])
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
'''
NETWORK = LINEAR + '''
net encoder(x) {
    param w: real = 0
    param b: real = 0
    param s: positive = 1
    (w * x + b, s)
}
guide q(x) for lin { plate i in 1..len(x) { (l, s) = encoder(x[i]); z[i] ~ Normal(l, s) } }
'''


def evidence(x):
    return -0.25 * x * x - 0.5 * math.log(4 * math.pi)


def inference_network():
    """Trained on batches it reaches the posterior, and holds on data that it has not seen."""
    text = NETWORK + '''
fit = infer(lin(x), q(x), batch = {i: 48}, epochs = 120, optimizer = adam(0.02))
print(fit.params.encoder.w, fit.params.encoder.b, fit.params.encoder.s)
print(elbo(fit, lin([3.0, -4.0]), q([3.0, -4.0])))
print(log_evidence(fit, lin([3.0]), q([3.0]), samples = 200))
print(mean(posterior(fit, q([5.0]), 4000).z), sd(posterior(fit, q([5.0]), 4000).z[:, 1]))
'''
    code, prints, err = printed(text)
    check('network: runs', code == 0, err)
    if code:
        return
    w, b, s = numbers(prints[0])
    near('network: w', w, 0.5, 1e-3), near('network: b', b, 0, 1e-3), near('network: s', s, math.sqrt(0.5), 1e-3)
    for value, x in zip(numbers(prints[1]), [3, -4]):
        near(f'network: elbo at {x}', value, evidence(x), 1e-3)
    near('network: evidence', numbers(prints[2])[0], evidence(3), 1e-3)
    m, sd = numbers(prints[3])
    near('network: new mean', m, 2.5, 0.06), near('network: new sd', sd, math.sqrt(0.5), 0.04)


def batches_keep_the_posterior():
    """A batch of 150 of 2000 rows, the last one smaller, against the exact posterior of the mean."""
    text = '''
data y = 1.5 + draw(Normal(0, 1)[2000])
model m { a ~ Normal(0, 10); plate i in 1..2000 { y[i] ~ Normal(a, 1) } }
fit = infer(m, guide = auto_normal(), batch = {i: 150}, epochs = 300, optimizer = adam(0.005))
print(sum(y) / 2000.01, mean(fit.a), sd(fit.a))
print(fit.elbo, infer(m).elbo)
'''
    code, prints, err = printed(text)
    check('batches: run', code == 0, err)
    if code:
        return
    exact, mean, sd = numbers(prints[0])
    near('batches: mean', mean, exact, 0.01), near('batches: sd', sd, 1 / math.sqrt(2000), 0.003)
    mine, whole = numbers(prints[1])
    near('batches: elbo', mine, whole, 15)


def parameters_of_elements():
    """param inside a plate: one per element, also in batches; each reaches its own posterior."""
    text = LINEAR + '''
guide q(x) for lin {
    plate i in 1..len(x) {
        param l: real = 0
        param s: positive = 1
        z[i] ~ Normal(l, s)
    }
}
fit = infer(lin(x), q(x), batch = {i: 64}, epochs = 400, optimizer = adam(0.02))
print(max(abs(fit.params.q.l - x / 2)), max(abs(fit.params.q.s - sqrt(0.5))))
'''
    code, prints, err = printed(text)
    check('elements: run', code == 0, err)
    if code:
        return
    l, s = numbers(prints[0])
    near('elements: loc', l, 0, 0.05), near('elements: scale', s, 0, 0.05)


def files():
    with tempfile.TemporaryDirectory() as d:
        for ending in ['safetensors', 'json']:
            text = NETWORK + f'''
fit = infer(lin(x), q(x), batch = {{i: 48}}, epochs = 20, optimizer = adam(0.02))
print(fit.params)
save("{d}/net.{ending}")
g = load("{d}/net.{ending}")
print(g.params)
print(posterior(fit, q([1.0, 2.0])).z - 0 * posterior(g, q([1.0, 2.0])).z)
print(infer(lin(x), q(x), from = g, steps = 1, optimizer = adam(1e-12)).params)
'''
            code, prints, err = printed(text)
            check(f'{ending}: runs', code == 0, err)
            if code == 0:
                check(f'{ending}: reads back', prints[0] == prints[1] == prints[3], f'{prints}')


def values_of_nets():
    """An initial value that a net computes, which has parameters of its own."""
    text = '''net g(x) {
    param a: real[2] = [5, 6]
    a * x
}
net f(x) {
    param w: real[2] = g(x)
    sum(w * g(x))
}
model m { observe f([1, 2]) ~ Normal(0, 1) }
print(infer(m, steps = 1, optimizer = sgd(0)).params)
'''
    code, prints, err = printed(text)
    check('initial value of a net', code == 0 and prints == ['{f: {g_1: {a: [5, 6]}, w: [5, 12], g_2: {a: [5, 6]}}}'], f'{prints} {err}')


def values_after_another_fit():
    """A bare call takes what was learned last, by whichever fit."""
    code, prints, err = printed('''
net f(x) { param a: real = 1; a * x }
model one(y) { plate n in 1..len(y) { y[n] ~ Normal(f(1), 1) } }
model two(y) { mu ~ Normal(0, 1); plate n in 1..len(y) { y[n] ~ Normal(mu, 1) } }
first = infer(one([3, 3, 3]), steps = 1000, optimizer = adam(0.05))
second = infer(two([1, 2]), steps = 10)
print(f(1))
third = infer(one([5, 5, 5]), steps = 1000, optimizer = adam(0.05))
print(f(1))
''')
    check('a net after another fit', code == 0 and len(prints) == 2, err)
    for text, value in zip(prints, (3, 5)):
        near('a net after another fit', numbers(text)[0], value, 1e-3)


def parts_of_files():
    """What a file lacks is an error, for training and for what reads parameters; with partial = true it begins afresh, and the
    rest is the file's."""
    with tempfile.TemporaryDirectory() as d:
        head = f'''net old(x) = sum(dense(x, 2))
net new(x) {{
    param w: real[2] = [3, 4]
    x @ w
}}
model one(x) {{ plate i in 1..2 {{ observe old(x[i]) ~ Normal(0, 1) }} }}
model two(x) {{ plate i in 1..2 {{ observe old(x[i]) + new(x[i]) ~ Normal(0, 1) }} }}
guide q(x) for two {{ }}
x = [[1, 2], [3, 5]]
fit = infer(one(x), steps = 20)
save("{d}/net.json")
'''
        name = f'{d}/net.json has no parameter `new.w`'
        for what in ['print(infer(two(x), from = g, steps = 1))', 'print(elbo(g, two(x), q(x)))', 'print(new([1, 2]))', 'simulate(two(x))',
                     'print(posterior(g, r(x)))']:
            guide = 'model three { z ~ Normal(0, 1); observe z ~ Normal(0, 1) }\nguide r(x) for three { z ~ Normal(new(x[1]), 1) }\n'
            code, _, err = printed(head + guide + f'g = load("{d}/net.json")\n' + what)
            check(f'lacking, {what}', code == 1 and name in err and 'partial = true' in err, f'{code} {err}')
        code, prints, err = printed(head + f'''g = load("{d}/net.json", partial = true)
print(new([1, 1]))
h = infer(two(x), from = g, steps = 1, optimizer = sgd(0))
print(h.params.new.w, max(abs(h.params.old.dense_1.w - fit.params.old.dense_1.w)), max(abs(h.params.old.dense_1.b - fit.params.old.dense_1.b)))
''')
        check('a part of a file', code == 0 and prints == ['7', '[3, 4] 0 0'], f'{prints} {err}')


BY_ELEMENT = '''
data y = [[0.5, 1.5], [-0.3, 2.2], [1, -1]]
model m { plate i in 1..3, j in 1..2 { z[i, j] ~ Normal(0, 1); y[i, j] ~ Normal(z[i, j], 1) } }
fn up(x, k) = if k <= 0 { x } else { up(x + 1, k - 1) }
guide q for m { plate i in 1..3 { BEFORE
    param c: real = 0.1 * INDEX + draw(Normal(0, 0.1))
    plate j in 1..2 { INSIDE
        param a: real = 2 * y[i, j]
        param s: positive[2] = [0.1, 0.2]
        z[i, j] ~ Normal(a + c, s[1]) } } }
first = infer(m, q, steps = 1, optimizer = sgd(0))
fit = infer(m, q, steps = 300)
again = infer(m, q, steps = 1, optimizer = sgd(0), from = fit)
print(first.params.q)
print(fit.params.q, fit.elbo)
print(max(abs(again.params.q.a - fit.params.q.a)), max(abs(again.params.q.c - fit.params.q.c)))
print(simulate(q).z, posterior(fit, q(), m()).z)
'''


def parameters_by_element():
    """A plate whose body cannot run for all elements at once has a parameter for each all the same."""
    whole = BY_ELEMENT.replace('BEFORE', '').replace('INSIDE', '').replace('INDEX', 'i')
    code, want, err = printed(whole)
    check('parameters of elements, at once', code == 0 and want[2] == '0 0', err)
    for name, before, inside, index in [
            ('the outer one by one', 'n = 0; while n < i { n = n + 1 }', '', 'n'),
            ('the inner one by one', '', 'n = 0; while n < j { n = n + 1 }', 'i'),
            ('both one by one', 'n = 0; while n < i { n = n + 1 }', 'k = 0; while k < j { k = k + 1 }', 'n'),
            ('a recursion', 'n = up(0, i)', '', 'n'),
            ('found out behind the parameter', '', 'n = up(y[i, j], j) + a', 'i')]:
        inside, late = ('', inside) if 'a' in inside.split() else (inside, '')
        text = BY_ELEMENT.replace('BEFORE', before).replace('INSIDE', inside).replace('INDEX', index)
        text = text.replace('        z[i, j] ~', f'        {late}\n        z[i, j] ~')
        code, prints, err = printed(text)
        check(f'parameters of elements, {name}', code == 0 and len(prints) == 4, err)
        for line in range(4):
            same = len(prints) == 4 and all(abs(a - b) < 1e-7 for a, b in zip(numbers(prints[line]), numbers(want[line])))
            check(f'parameters of elements, {name}: {line}', same, (prints, want))
    text = BY_ELEMENT.replace('BEFORE', 'n = 0; while n < i { n = n + 1 }').replace('INSIDE', '').replace('INDEX', 'n')
    check('parameters of elements, tape and tree', printed(text) == printed(text, walk=True))
    text = text.replace('plate j in 1..2 {', 'plate j in 1..n {').replace('plate i in 1..3, j in 1..2', 'plate i in 1..3 { plate j in 1..i') \
        .replace('z[i, j], 1) } }\nfn', 'z[i, j], 1) } } }\nfn').replace('[[0.5, 1.5], [-0.3, 2.2], [1, -1]]', '[[1, 1, 1], [1, 1, 1], [1, 1, 1]]')
    code, _, err = printed(text)
    check('parameters of elements, ragged', code == 1 and 'many elements in each' in err, err)


def tape_is_tree():
    for name, text in [('network', NETWORK + 'print(infer(lin(x), q(x), batch = {i: 96}, steps = 30).params)\n')]:
        one, two = printed(text), printed(text, walk=True)
        check(f'{name}: tape and tree', one[0] == 0 and one[1] == two[1], f'{one} {two}')


def mistakes():
    for name, text, word in [
            ('batch', NETWORK + 'infer(lin(x), q(x), batch = 3)', 'batch = {i: 256}'),
            ('method', 'data y = [1.0]\nmodel m { a ~ Normal(0, 1); plate i in 1..1 { y[i] ~ Normal(a, 1) } }\n'
                       'infer(m, method = map(), batch = {i: 1})', 'batch')]:
        code, _, err = printed(text)
        check(f'mistake {name}', code == 1 and word in err, f'exit {code}: {err}')


for test in [inference_network, batches_keep_the_posterior, parameters_of_elements, parameters_by_element, files, values_of_nets, values_after_another_fit, parts_of_files, tape_is_tree, mistakes]:
    test()
finish()
