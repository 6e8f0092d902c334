"""What the tests of this folder share: running a program, counting checks."""
import json, os, subprocess, sys, tempfile, threading

PPL = os.environ.get('PPL', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'ppl'))
counts = [0, 0]


def check(name, ok, why=''):
    counts[not ok] += 1
    if not ok:
        print(f'FAIL {name}: {why}', flush=True)


def near(name, value, target, within=1e-9):
    ok = isinstance(value, (int, float)) and abs(value - target) <= within
    check(name, ok, f'{value} is not within {within} of {target}')


def same(name, value, want, relative=1e-10):
    """Numbers or nested lists of them; relative to the largest of 1 and the number."""
    if isinstance(value, list) and isinstance(want, (list, tuple)) and len(value) == len(want):
        for k, (a, b) in enumerate(zip(value, want)):
            same(f'{name}[{k + 1}]', a, b, relative)
        return
    numbers = isinstance(value, (int, float)) and isinstance(want, (int, float))
    check(name, value == want or (numbers and abs(value - want) <= relative * max(1, abs(want))), f'{value!r}, expected {want!r}')


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


def printed(text, *args, walk=False):
    """Exit code, prints, standard error."""
    code, _, prints, err = run(text, *args, walk=walk)
    return code, prints, err


def measured(text, folder, setting=None, seconds=300):
    """What the program writes into out.json, or None; standard error; seconds and peak memory in bytes. `setting`: VARIABLE=VALUE."""
    with open(os.path.join(folder, 'program.ppl'), 'w', encoding='utf-8') as f:
        f.write(text)
    out = os.path.join(folder, 'out.json')
    if os.path.exists(out):
        os.unlink(out)
    env = dict(os.environ, **dict([setting.split('=')])) if setting else None
    with tempfile.TemporaryFile() as errors:
        p = subprocess.Popen([PPL, 'run', '--quiet', 'program.ppl'], cwd=folder, stdout=subprocess.DEVNULL, stderr=errors, env=env)
        stop = threading.Timer(seconds, p.kill)
        stop.start()
        _, status, usage = os.wait4(p.pid, 0)
        stop.cancel()
        p.returncode = status
        errors.seek(0)
        message = errors.read().decode(errors='replace')
    result = None
    if status == 0 and os.path.exists(out):
        with open(out, encoding='utf-8') as f:
            result = json.load(f)
    return result, ' | '.join(message.splitlines()[:4]), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


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
