#!/usr/bin/env python3
"""Log densities and gradients of reference models (posteriordb) against Stan's.

Each program of tests/reference/posteriordb/ is one model, written from its description. The data and the log densities at fixed
points are outside the repository (../shared/reference/posteriordb); without them the test is skipped. Densities are known
up to a constant: differences between points are compared, to 1e-9 relative; gradients to 1e-7.
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
    folder = os.path.join(reference, name)
    points = json.load(open(os.path.join(folder, 'logdensity.json')))['points']
    model = re.search(r'^model (\w+)', text, re.M).group(1)
    perm = order(text) or list(range(len(points[0]['unconstrained'])))
    program = [text]
    for p in points:
        u = ', '.join(repr(float(p['unconstrained'][k])) for k in perm)
        program.append(f'u = [{u}]\nprint(str(unconstrained_logpdf({model}, u), digits = 17), '
                       f'str(unconstrained_logpdf({model}, u, jacobian = false), digits = 17))\n'
                       f'print(str(unconstrained_gradient({model}, u), digits = 17))')
    with tempfile.NamedTemporaryFile('w', suffix='.ppl', delete=False) as f:
        f.write('\n'.join(program))
    try:
        done = subprocess.run([ppl, 'run', '--json', '--data', os.path.join(folder, 'data.json'), f.name], capture_output=True, text=True,
                              timeout=120)
    finally:
        os.unlink(f.name)
    if done.returncode != 0:
        return [f'exit {done.returncode}: ' + ' | '.join(done.stderr.strip().splitlines()[:6])]
    lines = [json.loads(l)['print'] for l in done.stdout.splitlines() if l.startswith('{"print"')]
    problems = []
    for key, column in (('lp_with_jacobian', 0), ('lp_no_jacobian', 1)):
        ours = [float(lines[2 * k].split()[column]) for k in range(len(points))]
        for k in range(1, len(points)):
            want, have = points[k][key] - points[0][key], ours[k] - ours[0]
            if not close(want, have, 1e-9, abs(ours[k])):
                problems.append(f'point {k}, {key}: difference {have!r}, Stan {want!r}')
    for k, p in enumerate(points):
        have = [float(x) for x in re.sub(r'[\[\],]', ' ', lines[2 * k + 1]).split()]
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
