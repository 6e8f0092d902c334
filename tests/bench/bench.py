#!/usr/bin/env python3
"""The table of `make bench`: ours, the peers that are installed, the same by hand in C. See README.md."""
import argparse
import json
import math
import os
import shutil
import struct
import tempfile

import data
import growth
import peers
from sides import BUILT, HERE, PPL, Failed, Served, Start, Svi

COIN = os.path.join(HERE, 'works', 'coin.ppl')


def numbers(v):
    return [x for e in v for x in numbers(e)] if isinstance(v, list) else [float(v)]


class Files:
    """A work's data and point in the forms that the sides read."""

    def __init__(self, name, folder, **sizes):
        self.name, self.folder = name, folder
        self.program = os.path.join(HERE, 'works', name + '.ppl')
        self.data, self.point = data.make(name, **sizes)
        self.json, self.f64, self.point_f64, self.draws = (
            os.path.join(folder, name + end) for end in ('.json', '.f64', '.point', '.safetensors'))
        with open(self.json, 'w') as f:
            json.dump(self.data, f)
        arrays = [numbers(v) for v in self.data.values()]
        with open(self.f64, 'wb') as f:
            for a in arrays:
                f.write(struct.pack(f'{len(a) + 1}d', len(a), *a))
        with open(self.point_f64, 'wb') as f:
            f.write(struct.pack(f'{len(self.point)}d', *self.point))


def gradient_of(files):
    return Served('ppl', [os.path.join(BUILT, 'gradient'), files.program, files.json, files.point_f64])


def floor_of(files):
    return Served('C by hand', [os.path.join(BUILT, 'floor'), files.name, files.f64, files.point_f64])


def svi_of(files, few=2000):
    options = 'm, guide = auto_normal(), method = svi(objective = ELBO(particles = 1)), optimizer = adam(0.01), steps = %d'
    return Svi('ppl', files.program, options, [files.json], files.folder, few,
               density=gradient_of(files), draws=files.draws)


def differences(kind, tolerance, reference, found, all_constants):
    """[(what, how far from the reference in tolerances)] of a side's numbers. gradient: a log density (peers may leave out
    constants) and its gradient; svi: the same with all constants, an ELBO and its standard error; else: one number."""
    if len(found) != len(reference):
        return [(f'it has {len(found)} numbers, not {len(reference)}', math.inf)]
    density = kind in ('gradient', 'svi')
    pairs, named = list(zip(reference, found)), []
    if kind == 'svi':
        *pairs, elbo, errors = pairs
        named = [('the ELBO', *elbo, STANDARD_ERRORS * math.hypot(*errors))]
    names = ['the log density', *(f'derivative {k}' for k in range(1, len(pairs)))] if density else ['the result']
    named = [(name, a, b, tolerance * (1 + abs(a))) for name, (a, b) in zip(names, pairs)] + named
    return [(f'{name}: {b:.10g}, not {a:.10g}', abs(a - b) / allowed) for name, a, b, allowed in named
            if kind != 'gradient' or name != names[0] or all_constants]


def agree(sides, tolerance, kind):
    """Every side computes what the first does. Gives the sides that do."""
    reference, good = None, []
    for s in sides:
        try:
            found = s.check()
            reference = reference or found
            far = differences(kind, tolerance, reference, found, s.name == 'C by hand')
            wrong = [f'{what} ({d:.3g} tolerances off)' for what, d in far if not d <= 1] # or NaN
            if wrong:
                print(f'  {s.name}: WRONG in {len(wrong)} of {len(found)} numbers; {wrong[0]}', flush=True)
                s.close()
            else:
                good.append(s)
        except Failed as e:
            print(f'  {s.name}: failed: {e}', flush=True)
            s.close()
    return good


def duration(s):
    for unit, scale in (('s', 1), ('ms', 1e3), ('us', 1e6)):
        if s * scale >= 1:
            return f'{s * scale:9.3g} {unit:2}'
    return f'{s * 1e9:9.3g} ns'


HEADER = f'{"work":26} {"side":20} {"median":>12} {"spread":>7} {"processor":>12} {"memory":>9}  {"ppl is":14}'


def report(title, sides):
    ours = sides[0].median()
    for s in sides:
        ratio = s.median() / ours
        compared = '' if s is sides[0] else f'{ratio:.4g} x faster' if ratio >= 1 else f'{1 / ratio:.3g} x slower'
        print(f'{title if s is sides[0] else "":26} {s.name:20} {duration(s.median())} {100 * s.spread():6.1f}% '
              f'{duration(s.processor_time())} {s.memory / 1e6:6.0f} MB  {compared}', flush=True)


def measure(title, sides, rounds, seconds, tolerance, kind):
    sides = agree(sides, tolerance, kind)
    if not sides or sides[0].name != 'ppl':
        print(f'{title:26} nothing to compare with')
        return []
    try:
        for _ in range(rounds):
            for s in sides:
                s.round(seconds)
        report(title, sides)
        return sides
    finally:
        for s in sides:
            s.close()


STANDARD_ERRORS = 4 # that an estimate may be off
GRADIENTS = ['schools', 'logistic', 'varying', 'walk', 'mixture', 'gauss_mix', 'ark', 'garch', 'gp']
FLOORS = {'schools', 'logistic', 'varying', 'walk', 'gauss_mix', 'ark', 'garch', 'gp'}
# title, work, images of a batch, images, threads, epochs before the ELBOs are compared, how far they may differ
EPOCHS = [('epoch of a VAE', 'vae', 256, 50000, 2, 1, 0.1), ('epoch of refinement', 'iterative', 64, 5000, 1, 4, 0.02)]
STEPS = {'schools': 2000, 'logistic': 1000, 'varying': 1000, 'mixture': 500, 'walk': 500}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--quick', action='store_true', help='about a minute: no peers, no growth, no networks')
    p.add_argument('--only', default='', help='works whose title contains one of these, by commas')
    p.add_argument('--rounds', type=int, default=0, help='interleaved repetitions')
    p.add_argument('--seconds', type=float, default=0, help='of one repetition of a side')
    p.add_argument('--no-peers', action='store_true')
    p.add_argument('--growth', action='store_true', help='the second table alone')
    p.add_argument('--no-growth', action='store_true')
    o = p.parse_args()
    rounds, seconds = o.rounds or (7 if o.quick else 15), o.seconds or (0.1 if o.quick else 0.3)
    wanted = lambda title: not o.only or any(w in title for w in o.only.split(','))
    folder = tempfile.mkdtemp(prefix='bench')
    found = peers.none(folder) if o.quick or o.no_peers or o.growth else peers.find(folder)
    try:
        if not o.growth:
            found.explain()
            if os.environ.get('OPENBLAS_CORETYPE'):
                print('OPENBLAS_CORETYPE=' + os.environ['OPENBLAS_CORETYPE'] +
                      ': our matrix products take the kernels for that processor, which may be slow on this one')
            print(HEADER, flush=True)
            if wanted('start'):
                ours = Start('ppl', [PPL, 'run', '--quiet', COIN], folder)
                measure('start: coin.ppl', [ours, *found.start()], rounds, seconds, 0, 'start')
            for name in GRADIENTS:
                if wanted('gradient ' + name):
                    files = Files(name, folder)
                    sides = [gradient_of(files)] + ([floor_of(files)] if name in FLOORS else []) + found.gradient(files)
                    measure('gradient ' + name, sides, rounds, seconds, 1e-8, 'gradient')
            for name, few in STEPS.items():
                if wanted('svi step ' + name):
                    files = Files(name, folder)
                    measure('svi step ' + name, [svi_of(files, few)] + found.svi(files), max(3, rounds // 3), seconds,
                            1e-8, 'svi')
            for title, *work, tolerance in EPOCHS:
                if not o.quick and wanted(title):
                    measure(title, found.epochs(*work), 3, 1, tolerance, 'epoch')
        if o.growth or not (o.quick or o.no_growth or o.only):
            growth.table(folder, o.seconds or 0.3, wanted)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
