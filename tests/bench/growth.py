"""The second table: how cost grows with what a user can make larger. Of a gradient, in process (the first evaluation records
the tape); then of whole commands, in processor time without the start; the least of some repetitions, which others disturbed least. A row whose cost per unit is more than 20 per cent
above that of the row before it is marked with !; what no longer fits the caches pays for memory, and is marked, too."""
import json
import math
import os
import struct
import time

import data
from sides import BUILT, HERE, PPL, Failed, Served, run_measured

MARKED = 0.2
LEAST = 0.02 # seconds of a command from which they are compared
LONG = 2 # seconds of a command that runs once

# work, what grows, its sizes
ROWS = [
    ('line', 'rows', [10 ** k for k in range(3, 8)]),
    ('logistic', 'rows', [10 ** k for k in range(2, 5)]),
    ('logistic', 'dimensions', [5, 20, 80, 320]),
    ('varying', 'groups', [10 ** k for k in range(1, 5)]),
    ('walk', 'steps of a loop', [10 ** k for k in range(2, 5)]),
    ('garch', 'steps of a loop', [10 ** k for k in range(2, 5)]),
    ('mixture', 'rows', [10 ** k for k in range(2, 5)]),
]

X = 'x = sin(1..%d)\n'
LINE = X + '''data y = 1 + 2 * x + sin(1e6 * x)
model m {
    a ~ Normal(0, 10)
    b ~ Normal(0, 10)
    plate i in 1..len(y) { y[i] ~ Normal(a + b * x[i], 1) }
}
'''
LATENTS = X + '''data y = x
model m {
    mu ~ Normal(0, 1)
    plate i in 1..len(y) { z[i] ~ Normal(mu, 1);  y[i] ~ Normal(z[i], 1) }
}
'''
GROUPS = '''n = %d
J = n / 10
data y = sin(1..n)
data g = 1 + (1..n) %% J
model m {
    mu ~ Normal(0, 1)
    plate j in 1..J { a[j] ~ Normal(mu, 1) }
    plate i in 1..n { y[i] ~ Normal(a[g[i]], 1) }
}
'''
DENSE = '''D = %d
X = reshape(sin(1..100 * D), [100, D])
data y = sin(1..100)
model m {
    w ~ Normal(0, 1)[D]
    plate i in 1..100 { y[i] ~ Normal(dot(X[i], w), 1) }
}
'''
HMM = '''data y = sin(1..%d)
P = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
model m {
    mu ~ Normal(0, 1)[3]
    k[1] ~ Categorical(P[1])
    for t in 2..len(y) { k[t] ~ Categorical(P[k[t - 1]]);  y[t] ~ Normal(mu[k[t]], 1) }
}
'''
FEW = 'fit = infer(m, auto_normal(), steps = 10, draws = 10)\n'


def sites(n):
    return 'data y = 1\nmodel m {\n' + ''.join(f'a{k} ~ Normal({f"a{k - 1}" if k else 0}, 1)\n' for k in range(n)) + \
           f'y ~ Normal(a{n - 1}, 1)\n}}\n'


def statements(n):
    return 'x0 = 1\n' + ''.join(f'x{k} = x{k - 1} + 1\n' for k in range(1, n))


def csv(n, path):
    with open(path, 'w') as f:
        f.write('x,y\n' + ''.join(f'{k / 7:.6f},{k / 3:.6f}\n' for k in range(10000)) * (n // 10000))


def json_numbers(n, path):
    with open(path, 'w') as f:
        f.write('{"x": [' + ','.join([','.join(f'{k / 7:.6f}' for k in range(10000))] * (n // 10000)) + ']}')


def npy(n, path):
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({n},), }}".ljust(117) + '\n'
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        for _ in range(n // 10000):
            f.write(struct.pack('10000d', *range(10000)))


# what, its unit, sizes, program by size, how the file that it reads (PATH) is written, command
COMMANDS = [
    ('read .csv', 'rows', [10 ** 5, 10 ** 6, 10 ** 7], lambda n: 't = read("PATH.csv")\nprint(sum(t.x))', csv),
    ('read .json', 'rows', [10 ** 5, 10 ** 6, 10 ** 7], lambda n: 't = read("PATH.json")\nprint(sum(t.x))', json_numbers),
    ('read .npy', 'rows', [10 ** 6, 10 ** 7], lambda n: 'print(sum(read("PATH.npy")))', npy),
    ('svi, 100 steps', 'rows', [10 ** 4, 10 ** 5, 10 ** 6], lambda n: LINE % n + FEW.replace('steps = 10', 'steps = 100')),
    ('map()', 'rows', [10 ** 4, 10 ** 5, 10 ** 6], lambda n: LINE % n + 'fit = infer(m, method = map())'),
    ('predict, 20 draws', 'rows', [10 ** 4, 10 ** 5, 10 ** 6],
     lambda n: LINE % n + FEW.replace('draws = 10', 'draws = 20') + 'print(mean(predict(fit, m).y))'),
    ('svi in batches of 100', 'rows', [10 ** 4, 10 ** 5, 10 ** 6],
     lambda n: LINE % n + 'fit = infer(m, auto_normal(), batch = {i: 100}, steps = 1000, draws = 10)'),
    ('mean field', 'latents', [10 ** 3, 10 ** 4, 4 * 10 ** 4], lambda n: LATENTS % n + FEW),
    ('low rank', 'latents', [10 ** 2, 10 ** 3, 10 ** 4], lambda n: LATENTS % n + FEW.replace('auto_normal()', 'auto_low_rank(2)')),
    ('summaries of 100 draws', 'latents', [10 ** 3, 10 ** 4], lambda n: LATENTS % n + FEW.replace('draws = 10', 'draws = 100')),
    ('groups of 10 rows', 'rows', [10 ** 3, 10 ** 4, 10 ** 5], lambda n: GROUPS % n + FEW),
    ('dense design', 'parameters', [10 ** 2, 10 ** 3, 10 ** 4], lambda n: DENSE % n + FEW),
    ('statements of a model', 'sites', [10 ** 2, 10 ** 3, 4 * 10 ** 3], lambda n: sites(n) + FEW),
    ('chain of 3 states', 'steps', [10 ** 2, 10 ** 3, 10 ** 4], lambda n: HMM % n + FEW + 'print(len(decode(fit).k))'),
    ('statements', 'lines', [10 ** 3, 10 ** 4, 10 ** 5], statements),
    ('ppl check', 'lines', [10 ** 3, 10 ** 4, 10 ** 5], statements, None, 'check'),
    ('ppl check', 'names of a function', [10 ** 3, 10 ** 4, 10 ** 5],
     lambda n: 'fn f(x0) {\n' + statements(n).split('\n', 1)[1] + '}\n', None, 'check'),
    ('ppl check', 'plates of a model', [10 ** 3, 10 ** 4, 10 ** 5],
     lambda n: 'model m {\n' + ''.join(f'plate i in 1..2 {{ x{k}[i] ~ Normal(0, 1) }}\n' for k in range(n)) + '}\n', None, 'check'),
    ('ppl fmt', 'lines', [10 ** 3, 10 ** 4, 10 ** 5], statements, None, 'fmt'),
    ('while', 'iterations', [10 ** 6, 10 ** 7], lambda n: f's = 0\ni = 0\nwhile i < {n} {{\n i = i + 1\n s = s + 2 * i\n}}\nprint(s)'),
    ('x[i] = ..., and read', 'iterations', [10 ** 5, 10 ** 6],
     lambda n: f'for i in 1..{n} {{ x[i] = 2 * i }}\nfor i in 1..{n} {{ y[i] = x[i] }}\nprint(sum(y))'),
    ('list', 'numbers', [10 ** 4, 10 ** 5, 10 ** 6], lambda n: 'print(sum([' + '1,' * (n - 1) + '1]))'),
    ('sort', 'numbers', [10 ** 5, 10 ** 6, 10 ** 7], lambda n: X % n + 'print(sort(x)[1])'),
    ('print', 'numbers', [10 ** 4, 10 ** 5, 10 ** 6], lambda n: X % n + 'print(x)'),
    ('plot', 'points', [10 ** 4, 10 ** 5, 10 ** 6], lambda n: X % n + 'plot(x, x ^ 2, "PATH.png")'),
]


def make(work, what, size):
    if work == 'line':
        return {'n': size}, [0.1, 0.2]
    if what == 'dimensions':
        return data.make(work, size=1000, D=size)
    if what == 'groups':
        return data.make(work, size=20000, J=size)
    return data.make(work, size=size)


def measured(folder, work, what, size, seconds):
    """(seconds of a gradient, the least of some rounds, of the first one with recording, peak bytes)"""
    values, point = make(work, what, size)
    path, at = os.path.join(folder, 'growth.json'), os.path.join(folder, 'growth.point')
    with open(path, 'w') as f:
        json.dump(values, f)
    with open(at, 'wb') as f:
        f.write(struct.pack(f'{len(point)}d', *point))
    side = Served('ppl', [os.path.join(BUILT, 'gradient'), os.path.join(HERE, 'works', work + '.ppl'), path, at])
    try:
        start = time.perf_counter()
        side.check()
        first = time.perf_counter() - start
        for _ in range(9):
            side.round(seconds)
        return min(side.seconds), first, side.memory
    finally:
        side.close()


def run(folder, text, command='run'):
    """(processor seconds, peak bytes) of a command: the least of three, of those that take long of one."""
    program, least, memory = os.path.join(folder, 'growth.ppl'), math.inf, 0
    with open(program, 'w') as f:
        f.write(text)
    argv = [PPL, command, *(['--quiet'] if command == 'run' else []), program]
    for _ in range(3):
        _, _, used, memory = run_measured(argv, os.path.join(folder, 'growth.measured'))
        least = min(least, used)
        if used > LONG:
            break
    return least, memory


def change(per, before):
    if not before:
        return ''
    grown = per / before - 1
    return f'{100 * grown:+8.0f} %{" !" if grown > MARKED else "  "}'


def gradients(folder, seconds, wanted):
    print(f'\n{"growth of a gradient":34} {"size":>10} {"time":>12} {"per unit":>12} {"to before":>12} {"first run":>11} {"memory":>9}')
    for work, what, sizes in ROWS:
        before = None
        for size in sizes if wanted(work + ': ' + what) else []:
            try:
                took, first, memory = measured(folder, work, what, size, seconds / 3)
            except Failed as e:
                print(f'{work + ": " + what:34} {size:10} failed: {e}')
                break
            per = took / size
            print(f'{work + ": " + what:34} {size:10} {took * 1e6:9.3g} us {per * 1e9:9.3g} ns {change(per, before):>12} '
                  f'{first:9.3g} s {memory / 1e6:6.0f} MB', flush=True)
            before = per


def commands(folder, wanted):
    start, least = min(run(folder, 'x = 1\n') for _ in range(4))
    print(f'\n{"growth of a command":34} {"size":>10} {"processor":>12} {"per unit":>12} {"to before":>12} {"memory":>9} {"per unit":>10}')
    for title, unit, sizes, program, *rest in COMMANDS:
        before = None
        for size in sizes if wanted(title + ': ' + unit) else []:
            path, text = os.path.join(folder, 'growth'), program(size)
            if rest and rest[0]:
                rest[0](size, path + '.' + rest[0].__name__.split('_')[0])
            try:
                took, memory = run(folder, text.replace('PATH', path), *rest[1:])
            except Failed as e:
                print(f'{title + ": " + unit:34} {size:10} failed: {e}')
                break
            per = max(took - start, 0) / size
            before = before if took > LEAST else None
            print(f'{title + ": " + unit:34} {size:10} {took:10.3g} s {per * 1e9:9.3g} ns {change(per, before):>12} '
                  f'{memory / 1e6:6.0f} MB {max(memory - least, 0) / size:8.0f} B', flush=True)
            before = per if took > LEAST else None


def bandwidth():
    """Bytes a second that one core reads and writes, copying what fits no cache."""
    a, b = bytearray(1 << 28), bytearray(1 << 28)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        b[:] = a
        times.append(time.perf_counter() - start)
    return 2 * len(a) / min(times)


def table(folder, seconds, wanted=lambda title: True):
    print(f'\nmemory: {bandwidth() / 1e9:.3g} GB/s; ! marks a cost per unit more than {100 * MARKED:.0f} % above the row before')
    gradients(folder, seconds, wanted)
    commands(folder, wanted)
