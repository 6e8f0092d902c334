"""What the tests of this folder share: running a program, counting checks."""
import json, os, subprocess, sys, tempfile

PPL = os.environ.get('PPL', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'ppl'))
counts = [0, 0]


def check(name, ok, why=''):
    counts[not ok] += 1
    if not ok:
        print(f'FAIL {name}: {why}')


def near(name, value, target, within):
    check(name, abs(value - target) <= within, f'{value} is not within {within} of {target}')


def run(text, *args, walk=False):
    """Exit code, what it wrote to out.json and params.json, prints, standard error."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'p.ppl'), 'w') as f:
            f.write(text)
        env = dict(os.environ, PPL_WALK='1') if walk else dict(os.environ)
        done = subprocess.run([PPL, 'run', '--json', *args, 'p.ppl'], text=True, capture_output=True, env=env, timeout=300, cwd=folder)
        out = {}
        for path in (os.path.join(folder, 'out.json'), os.path.join(folder, 'params.json')):
            if os.path.exists(path):
                with open(path) as f:
                    out.update(json.load(f))
    prints = [l['print'] for l in map(json.loads, filter(str.strip, done.stdout.splitlines())) if 'print' in l]
    return done.returncode, out, prints, done.stderr


def answer(name, text, *args):
    """What it wrote to out.json; {} counts as a failure."""
    code, out, _, err = run(text, *args)
    check(f'{name}: runs', code == 0, err)
    return out if code == 0 else {}


def numbers(text):
    return [float(w) for w in text.replace('[', ' ').replace(']', ' ').replace(',', ' ').split() if w[-1].isdigit()]


def flat(v):
    return [a for x in v for a in flat(x)] if isinstance(v, list) else [v]


def finish():
    print(f'{counts[0]} passed, {counts[1]} failed')
    sys.exit(counts[1] > 0)
