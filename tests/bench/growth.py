"""The second table: how cost grows with what a user can make larger. Time of a gradient per unit, peak memory per
unit, and how far the time per unit strays from that of the row before it; the first evaluation records the tape."""
import json
import os
import struct
import time

import data
from sides import BUILT, HERE, Failed, Served, Steps

# work, what grows, its sizes, what counts as a unit
ROWS = [
    ('line', 'rows', [10 ** k for k in range(3, 8)]),
    ('logistic', 'rows', [10 ** k for k in range(2, 5)]),
    ('logistic', 'dimensions', [5, 20, 80, 320]),
    ('varying', 'groups', [10 ** k for k in range(1, 5)]),
    ('walk', 'steps of a loop', [10 ** k for k in range(2, 5)]),
    ('garch', 'steps of a loop', [10 ** k for k in range(2, 5)]),
    ('mixture', 'rows', [10 ** k for k in range(2, 5)]),
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
    """(seconds of a gradient, of the first one with recording, peak bytes)"""
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
        for _ in range(5):
            side.round(seconds)
        return side.median(), first, side.memory
    finally:
        side.close()


def table(folder, seconds):
    print(f'\n{"growth of a gradient":34} {"size":>10} {"time":>12} {"per unit":>12} {"to before":>10} {"first run":>11} {"memory":>9}')
    for work, what, sizes in ROWS:
        before = None
        for size in sizes:
            try:
                took, first, memory = measured(folder, work, what, size, seconds / 3)
            except Failed as e:
                print(f'{work + ": " + what:34} {size:10} failed: {e}')
                break
            per = took / size
            change = f'{100 * (per / before - 1):+8.0f} %' if before else ''
            print(f'{work + ": " + what:34} {size:10} {took * 1e6:9.3g} us {per * 1e9:9.3g} ns {change:>10} {first:9.3g} s '
                  f'{memory / 1e6:6.0f} MB', flush=True)
            before = per
