#!/usr/bin/env python3
"""Data that stay in their file: the peak of the process is far below the size of the data, whatever the format. Memory is
constant over epochs, and over the steps of loops; a program's text takes little; fits that nothing refers to any more are given back."""
import array, gzip, json, os, random, resource, struct, subprocess, tempfile

from programs import PPL, check, finish

D, BLOCK = 16, 8192


def run(folder, text, *args, limit=None):
    """Exit code, prints, standard error, the peak in MB. `limit`: MB of `ulimit -m`."""
    path = os.path.join(folder, 'p.ppl')
    with open(path, 'w') as f:
        f.write(text)
    set_limit = limit and (lambda: resource.setrlimit(resource.RLIMIT_RSS, (limit << 20, limit << 20)))
    p = subprocess.Popen([PPL, 'run', '--json', *args, path], stdout=open(os.path.join(folder, 'out'), 'w'),
                         stderr=open(os.path.join(folder, 'err'), 'w'), preexec_fn=set_limit)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    prints = [json.loads(l)['print'] for l in open(os.path.join(folder, 'out')) if l.startswith('{"print"')]
    return p.returncode, prints, open(os.path.join(folder, 'err')).read(), usage.ru_maxrss / 1024


def write_npy(path, blocks, opener=open):
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }" % (blocks * BLOCK, D)
    head += ' ' * (64 - (10 + len(head) + 1) % 64) + '\n'
    r = random.Random(1)
    block = array.array('d', [r.randrange(8) / 4 + k % D for k in range(D * BLOCK)]).tobytes()
    with opener(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        for _ in range(blocks):
            f.write(block)


def write_idx(path, blocks):
    r = random.Random(2)
    with open(path, 'wb') as f:
        f.write(bytes([0, 0, 8, 2]) + struct.pack('>II', blocks * BLOCK, D))
        block = bytes(r.randrange(8) + k % D for k in range(D * BLOCK))
        for _ in range(blocks):
            f.write(block)


def write_csv(path, blocks):
    r = random.Random(3)
    block = ''.join(','.join(str(d + r.randrange(8)) for d in range(D)) + '\n' for _ in range(BLOCK))
    with open(path, 'w') as f:
        for _ in range(blocks):
            f.write(block)


MEANS = '''
data x: real[N, D]
model m { plate d in 1..D { mu[d] ~ Normal(0, 100) }
    plate i in 1..N { x[i] ~ Normal(mu, 1) } }
guide q for m { plate d in 1..D { param l: real = 0
    param s: positive = 1
    mu[d] ~ Normal(l, s) } }
fit = infer(m, q, batch = {i: 128}, steps = 600, optimizer = adam(0.3, schedule = cosine()), draws = 10)
print(sum(fit.params.q.l))
print(fit.params.q.l)
'''


def streams():
    """128 MB of numbers (64 MB where the file has bytes or words), 64 MB allowed."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        write_npy(path('x.npy'), 128), write_npy(path('small.npy'), 4)
        write_npy(path('x.npy.gz'), 128, lambda p, m: gzip.open(p, m, compresslevel=1))
        write_idx(path('x.idx'), 72), write_csv(path('x.csv'), 72)
        base = run(folder, MEANS, '--data', 'x=' + path('small.npy'))[3]
        found = {}
        for name, mean, size in [('x.npy', 0.875, 128), ('x.idx', 3.5, 72), ('x.csv', 3.5, 72)]:
            code, prints, err, peak = run(folder, MEANS, '--data', 'x=' + path(name), limit=64)
            check(name + ': runs', code == 0, err)
            if code:
                continue
            found[name] = prints
            total = sum(range(D)) + D * mean
            check(name + ': the means', abs(float(prints[0]) - total) < 0.03 * D, (prints, total))
            check(name + ': the data are not in memory', peak < base + 0.75 * size, f'{peak:.0f} MB, {base:.0f} MB with few data')
            print(f'{name}: {peak:.0f} MB at its peak for {size} MB of numbers ({base:.0f} MB with few)')
        code, prints, err, _ = run(folder, MEANS, '--data', 'x=' + path('x.npy.gz'))
        check('compressed: the same bits', code == 0 and prints == found.get('x.npy'), err)
        code, _, err, _ = run(folder, MEANS, '--data', 'x=' + path('x.idx'), '--precision', 'single', limit=64)
        check('single precision', code == 0, err)
        with open(path('x.npy'), 'r+b') as f:
            f.truncate(100 << 20)
        code, _, err, _ = run(folder, MEANS, '--data', 'x=' + path('x.npy'))
        check('a file that is cut short', code == 1 and 'cut short' in err, err)
        os.environ['TMPDIR'] = path('nowhere')
        code, _, err, _ = run(folder, MEANS, '--data', 'x=' + path('x.idx'))
        del os.environ['TMPDIR']
        check('no room', code == 1 and "no room for" in err and 'TMPDIR' in err, err)


NETWORK = '''
x = draw(Normal(0, 1)[4000, 8])
model m(x) { plate i in 1..nrow(x) { z[i] ~ Normal(0, 1)[2]
    x[i] ~ Normal(dense(tanh(dense(z[i], 20)), 8), 1) } }
guide q(x) for m { plate i in 1..nrow(x) { h = tanh(dense(x[i], 20))
    z[i] ~ Normal(dense(h, 2), exp(dense(h, 2))) } }
fit = infer(m(x), q(x), batch = {i: 300}, epochs = EPOCHS, draws = 10, held_out = (m(x[1..100]), q(x[1..100])), every = 1,
    checkpoint = "FOLDER/checkpoint")
print(fit.steps)
'''


def constant_memory():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, '2')), os.mkdir(os.path.join(folder, '20'))
        peaks = [run(folder, NETWORK.replace('EPOCHS', n).replace('FOLDER', folder + '/' + n))[3] for n in ('2', '20')]
        check('2 and 20 epochs take the same memory', peaks[1] < peaks[0] + 2, peaks)


LOOPS = '''x = [0]
k = 0
f = v -> v
for i in 1..8000 {
    x = concat(x, [i])
    if i % 1000 == 0 { k = i; f = v -> v + k }
    for j in 1..2 { z = rep(j, 3000) }
}
t = zeros(5000)
n = 0
while n < 8000 { n = n + 1;  t = t + rep(n, 5000) }
print(sum(x), f(1), sum(z), t[1])
'''


def constant_in_loops():
    """600 MB pass; what the globals hold is carried over."""
    with tempfile.TemporaryDirectory() as folder:
        _, prints, _, peak = run(folder, LOOPS)
        check('what the globals hold stays', prints == ['32004000 8001 6000 32004000'], prints)
        check('what the steps of a loop leave behind goes', peak < 160, peak)


NUMBERS = '''fn f(x, n) {
    s = 0
    for i in 1..n { s = s + x[1 + i % 9]; k = (1..n)[i] }
    s + k
}
for i in 1..300000 { x[i] = i;  y[i, 1] = x[i] / 2 }
total = f([1, 2, 3, 4, 5, 6, 7, 8, 9], 2000000)
print(sum(x), sum(y), total)
'''


def text_takes_little():
    """Bytes for each line, each number of a list, each step of a loop whose names hold numbers: beyond the 25 MB of `x = 1`."""
    def per(what, n, text, expected, most):
        code, prints, err, peak = run(folder, text)
        each = (peak - 25) * 2 ** 20 / n
        check(what, code == 0 and prints == [expected] and each < most, (prints[:1], err[:200], f'{each:.0f} B'))

    with tempfile.TemporaryDirectory() as folder:
        n = 200000
        per('lines', n, 'x0 = 1\n' + ''.join(f'x{k} = x{k - 1} + 1\n' for k in range(1, n)) + f'print(x{n - 1})', str(n), 550)
        n = 5000
        per('lines that make an array longer', n, ''.join(f'x[{k}] = {k}\n' for k in range(1, n + 1)) + 'print(sum(x))', '12502500', 20000)
        n = 1000000
        per('a list of numbers', n, 'print(sum([' + '1,-2,' * (n // 2) + ']))', str(-n // 2), 60)
        per('loops over numbers', n, NUMBERS, '45000150000 22500075000 11999995', 110)


FITS = '''data y = [1.2, 0.3, 2.2]
net f(x) { param w: real
    w * x }
model line { s ~ HalfNormal(1)
    plate i in 1..3 { y[i] ~ Normal(f(2), s) } }
learned = infer(line, steps = 300, draws = 10)
model m(y) { plate k in 1..40 { b[k] ~ Normal(0, 1) }
    plate i in 1..3 { y[i] ~ Normal(b[i], 1) } }
first = 0
for k in 1..40 {
    fit = infer(m(y + k), steps = 5)
    if k == 20 { first = fit.b; third = fit }
    means[k] = mean(fit.b)
}
fn repeated(n) {
    kept = 0
    at = 0
    when = () -> at
    for k in 1..n {
        at = k
        one = infer(m(y + k), steps = 5)
        if k % 12 == 0 { again = predict(one, m(y)).y }
        if k == 20 { kept = one.b }
        if k % 2 == 0 { late = () -> mean(kept) + k }
        out[k] = mean(one.b)
        if k == n { return (kept, out, late() - k, when(), sum(again) == sum(again)) }
    }
}
(theta, all_means, later, last, fine) = repeated(40)
print(all(first == theta), all(third.b == theta), all(means == all_means), abs(later - mean(theta)) < 1e-9, last, fine, abs(f(1) - learned.params.f.w) == 0)
print(predict(third, m(y)).y[1, 1] != 0, len(fit.b) == 4000, f(1) > 0.3)
'''


def fits_go():
    """80 fits with 1.7 MB each, and predictions: those that nothing refers to any more are given back."""
    with tempfile.TemporaryDirectory() as folder:
        code, prints, err, peak = run(folder, FITS)
        check('what is kept of fits is theirs', prints == ['true true true true 40 true true', 'true true true'], (prints, err))
        check('fits that nothing refers to go', peak < 90, peak)
        head = 'model m { plate k in 1..80 { b[k] ~ Normal(0, 1) }\n observe 1 ~ Normal(b[1], 1) }\n'
        code, _, err, peak = run(folder, head + 'fit = infer(m, steps = 2)\n' * 30 + 'print(len(fit.b))\n')
        check('so do those of a name that is bound anew', code == 0 and peak < 50, (peak, err))


streams(), constant_memory(), constant_in_loops(), text_takes_little(), fits_go()
finish()
