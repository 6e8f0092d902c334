#!/usr/bin/env python3
"""Log densities and gradients of reference models (posteriordb) against Stan's.

Each program of tests/reference/posteriordb/ is one model, written from its description. The data and the log densities at fixed
points are outside the repository (../shared/reference/posteriordb); without them the test is skipped. Densities are known
up to a constant: differences between points are compared, to 1e-9 relative; gradients to 1e-7. NAME.discrete.ppl is NAME
with its discrete variables as latents, to be summed out.
"""
import json, os, re, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))
reference = os.path.join(os.path.dirname(root), 'shared', 'reference', 'posteriordb')
ppl = os.path.join(root, 'ppl')


def order(text):
    """For each of our unconstrained coordinates the place of Stan's: the identity but where the program says otherwise."""
    def names(who):
        m = re.search(r'^# %s: (.*)$' % who, text, re.M)
        out = []
        for word in m.group(1).split() if m else []:
            n, size = re.match(r'(\w+)(?:\[(\d+)\])?$', word).groups()
            out += [(n, k) for k in range(int(size or 1))]
        return out
    stan, ours = names('stan'), names('ours')
    return [stan.index(c) for c in ours]


def close(a, b, relative, scale=0.0):
    return abs(a - b) <= relative * max(1.0, abs(a), abs(b), scale)


def compare(name):
    text = open(os.path.join(here, 'posteriordb', name + '.ppl')).read()
    folder = os.path.join(reference, name.removesuffix('.discrete'))
    points = json.load(open(os.path.join(folder, 'logdensity.json')))['points']
    model = re.search(r'^model (\w+)', text, re.M).group(1)
    perm = order(text) or list(range(len(points[0]['unconstrained'])))
    program = [text, 'with_jacobian = []', 'without = []', 'gradients = []']
    for k, p in enumerate(points):
        u = ', '.join(repr(float(p['unconstrained'][j])) for j in perm)
        program.append(f'u = [{u}]\nwith_jacobian[{k + 1}] = unconstrained_logpdf({model}, u)\n'
                       f'without[{k + 1}] = unconstrained_logpdf({model}, u, jacobian = false)\n'
                       f'gradients[{k + 1}] = unconstrained_gradient({model}, u)')
    with tempfile.TemporaryDirectory() as scratch:
        program.append(f'write("{scratch}/out.json", {{with_jacobian: with_jacobian, without: without, gradients: gradients}})')
        with open(f'{scratch}/model.ppl', 'w') as f:
            f.write('\n'.join(program))
        done = subprocess.run([ppl, 'run', '--json', '--quiet', '--data', os.path.join(folder, 'data.json'), f'{scratch}/model.ppl'],
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0 or not os.path.exists(f'{scratch}/out.json'):
            return [f'exit {done.returncode}: ' + ' | '.join(done.stderr.strip().splitlines()[:6])]
        out = json.load(open(f'{scratch}/out.json'))
    problems = []
    for key, ours in (('lp_with_jacobian', out['with_jacobian']), ('lp_no_jacobian', out['without'])):
        for k in range(1, len(points)):
            want, have = points[k][key] - points[0][key], ours[k] - ours[0]
            if not close(want, have, 1e-9, abs(ours[k])):
                problems.append(f'point {k}, {key}: difference {have!r}, Stan {want!r}')
    for k, p in enumerate(points):
        have = out['gradients'][k]
        want = [p['grad_unconstrained'][j] for j in perm]
        bad = [j for j in range(len(want)) if not close(want[j], have[j], 1e-7)]
        if bad:
            problems.append(f'point {k}: gradient {bad[0]} is {have[bad[0]]!r}, Stan {want[bad[0]]!r}')
    return problems


def main():
    names = sorted(f[:-4] for f in os.listdir(os.path.join(here, 'posteriordb')) if f.endswith('.ppl'))
    if sys.argv[1:]:
        names = [n for n in names if any(a in n for a in sys.argv[1:])]
    if not os.path.isdir(reference):
        print('posteriordb: ../shared/reference/posteriordb is absent, skipped')
        print(f'0 passed, 0 failed, {len(names)} skipped')
        return 0
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for name, problems in zip(names, pool.map(compare, names)):
            failed += bool(problems)
            if problems:
                print('FAIL  ' + name)
                for p in problems[:4]:
                    print('      ' + p)
    print(f'{len(names) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
