#!/usr/bin/env python3
"""Checkpoints: a training killed at any moment and run again ends with the bits of one that was not; others are refused.
Held-out data: early stopping, the best parameters. Interrupts."""
import json, os, pty, random, re, signal, subprocess, tempfile, time

from programs import PPL, check, finish

folder = tempfile.mkdtemp()


def start(text, *args):
    path = os.path.join(folder, 'p.ppl')
    with open(path, 'w') as f:
        f.write(text)
    return subprocess.Popen([PPL, 'run', '--json', *args, path], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)


def run(text, *args):
    p = start(text, *args)
    out, err = p.communicate(timeout=300)
    return p.returncode, out, err


def left_behind(*names):
    """The bytes of files that the program wrote; they go."""
    found = []
    for n in names:
        path = os.path.join(folder, n)
        found.append(open(path, 'rb').read() if os.path.exists(path) else None)
        if found[-1] is not None:
            os.unlink(path)
    return found


DATA = '''
x = draw(Normal(0, sqrt(2))[500])
test = draw(Normal(0, sqrt(2))[100])
model lin(x) { plate i in 1..len(x) { z[i] ~ Normal(0, 1); x[i] ~ Normal(z[i], 1) } }
'''
NETWORK = DATA + '''
net encoder(x) { h = tanh(dense(reshape(x, 1), 5))
    (dense(dropout(h, 0.1), 1)[1], exp(dense(h, 1)[1])) }
guide q(x) for lin { plate i in 1..len(x) { (l, s) = encoder(x[i]); z[i] ~ Normal(l, s) } }
'''
END = '''
save("net.safetensors")
write("rest.json", {trace: fit.trace, held_out: [fit.held_out, fit.held_out_steps], elbo: fit.elbo, steps: fit.steps})
'''
PROGRAMS = {
    'epochs, averaged': NETWORK + 'fit = infer(lin(x), q(x), batch = {i: 64}, epochs = 250, optimizer = adam(0.01)CHECK)' + END,
    'held out': NETWORK + '''fit = infer(lin(x), q(x), batch = {i: 64}, epochs = 150, optimizer = rmsprop(0.003, momentum = 0.5, schedule = cosine()),
        rates = {"encoder.dense*": adamw(0.01)}, held_out = (lin(test), q(test)), every = 3CHECK)''' + END,
    'no end given': '''
data x = draw(Normal(1, 2)[2000])
model m { a ~ Normal(0, 1); b ~ Exponential(1); plate i in 1..2000 { x[i] ~ Normal(a, b) } }
fit = infer(m, guide = auto_normal(), draws = 10CHECK)''' + END,
    'automatic, in batches': '''
data x = 1 + draw(Normal(0, 2)[250])
model m { s ~ Exponential(1)
    plate i in 1..250 { z[i] ~ Normal(1, s); x[i] ~ Normal(z[i], 1) } }
fit = infer(m, batch = {i: 48}, epochs = 300, draws = 10CHECK)''' + END,
    'moving baselines': '''
data y = [3, 5, 4, 2]
model m { l ~ Exponential(0.3); plate i in 1..4 { k[i] ~ Poisson(l); y[i] ~ Normal(k[i], 1) } }
guide q for m { param a: positive = 1
    l ~ Gamma(a, 0.5)
    plate i in 1..4 { param r: positive = 2
        k[i] ~ Poisson(r) } }
fit = infer(m, q, method = svi(ELBO(particles = 2), baseline = "average"), steps = 3000, draws = 10CHECK)''' + END,
}


def killed_and_continued():
    random.seed(5)
    for name, text in PROGRAMS.items():
        t = time.time()
        code, _, err = run(text.replace('CHECK', ''))
        seconds = time.time() - t
        whole = left_behind('net.safetensors', 'rest.json')
        check(name + ': runs', code == 0 and all(whole), err)
        kept = text.replace('CHECK', ', checkpoint = "run.checkpoint"' + ('' if 'every' in text else ', every = 60' if 'steps = ' in text else ', every = 1'))
        killed = 0
        for attempt in range(30):
            if killed == 5:
                break
            p = start(kept)
            try:
                p.wait(timeout=0.02 + 0.4 * seconds * random.random())
                left_behind('net.safetensors', 'rest.json', 'run.checkpoint')  # it was faster: from the beginning
            except subprocess.TimeoutExpired:
                p.kill() if attempt % 3 else p.send_signal(signal.SIGINT)
                p.wait()
                killed += 1
                if attempt % 3 == 0:
                    check(name + ': exit code of an interrupt', p.returncode in (130, -2, 0), p.returncode)
                left_behind('net.safetensors', 'rest.json')
            finally:
                p.communicate()
        code, out, err = run(kept)
        check(name + ': was killed and went on', killed > 0 and code == 0 and 'continued' in out, (killed, code, err))
        check(name + ': the same bits', left_behind('net.safetensors', 'rest.json') == whole, f'after {killed} interruptions')
        left_behind('run.checkpoint')


def refused():
    text = NETWORK + 'fit = infer(lin(x), q(x), batch = {i: 64}, epochs = 3, optimizer = adam(0.01), checkpoint = "run.checkpoint")\n'
    code, _, err = run(text)
    check('a short run', code == 0, err)
    for before, after, words in [
        ('adam(0.01)', 'adam(0.02)', 'it was written with `optimizer`: adam(lr = 0.01'),
        ('batch = {', 'method = svi(IWAE(1)), batch = {', 'it was written with `method`: as it is by default; here it is svi(IWAE'),
        ('i: 64', 'i: 32', 'it was written with `batch`: {i: 64}; here it is {i: 32}'),
        ('epochs = 3', 'epochs = 3, seed = 2', 'the seed: 1'),
        ('tanh(', 'sin(', 'the function `encoder` has changed'),
        ('Normal(z[i], 1)', 'Normal(z[i], 2)', 'the function `lin` has changed'),
        ('[500]', '[510]', 'what the model is given has changed'),
        ('adam(0.01)', 'adam(0.01, schedule = cosine())', 'it was written with `optimizer`'),
        ('epochs = 3', 'epochs = 2', 'it is of 24 steps, here they are 16'),
    ]:
        code, _, err = run(text.replace(before, after))
        check('refused: ' + after, code == 1 and words in err and 'remove the file' in err, err)
    code, out, err = run('# a comment\n' + text.replace('epochs = 3', 'epochs = 6') + 'print(fit.steps)')
    check('more epochs, and a comment', code == 0 and '"48"' in out, out + err)
    code, _, err = run(text.replace('epochs = 3', 'epochs = 6'), '--precision', 'single')
    check('refused: the other precision', code == 1 and 'the precision: double; here it is single' in err, err)
    path = os.path.join(folder, 'run.checkpoint')
    good = open(path, 'rb').read()
    for what, bad in [('cut', good[:-40]), ('a flipped bit', good[:600] + bytes([good[600] ^ 4]) + good[601:]), ('empty', b''),
                      ('another file', b'hello\n' * 100)]:
        open(path, 'wb').write(bad)
        code, _, err = run(text.replace('epochs = 3', 'epochs = 6'))
        check('damaged: ' + what, code == 1 and 'damaged' in err, err)
    os.unlink(path)
    code, out, err = run(text.replace('run.checkpoint', 'nowhere/run.checkpoint'))
    check('a file that cannot be written is a warning', code == 0 and 'cannot write' in err and 'goes on' in err, err)


def held_out():
    text = NETWORK + '''fit = infer(lin(x), q(x), batch = {i: 64}, optimizer = adam(0.01), held_out = (lin(test), q(test)), patience = 4, every = 16)
print(fit.steps, fit.held_out_steps[argmax(fit.held_out)], len(fit.held_out))
print(abs(mean(elbo(fit, lin(test), q(test), samples = 40)) - max(fit.held_out)) < 0.02)
print(log_evidence(fit, lin(test), q(test), samples = 200) |> mean)
'''
    code, out, err = run(text)
    check('held out: runs', code == 0, err)
    prints = [json.loads(l)['print'] for l in out.splitlines() if l.startswith('{"print"')]
    if len(prints) == 3:
        steps, best, n = map(float, prints[0].split())
        check('stopped 4 looks after the best', steps == best + 4 * 16 and n == steps / 16, prints[0])
        check('the best parameters were kept', prints[1] == 'true', prints)
    overfit = '''
y = draw(Normal(0, 1)[10])
test = draw(Normal(0, 1)[200])
model m(y) { param a: real[10] = 0
    param s: positive = 1
    plate i in 1..len(y) { y[i] ~ Normal(a[(i - 1) % 10 + 1], s) } }
fit = infer(m(y), steps = 3000, optimizer = adam(0.01), held_out = m(test), every = 20, patience = 3)
print(fit.steps < 1000, sum(fit.held_out > fit.held_out[1]) == 0, max(abs(fit.params.m.a)) < 2.5)
print(fit.held_out, fit.held_out_steps, fit.params)'''
    code, out, err = run(overfit)
    prints = [json.loads(l)['print'] for l in out.splitlines() if l.startswith('{"print"')]
    check('overfitting stops early', code == 0 and prints[0] == 'true true true', out + err)
    for options, words in [
        ('held_out = lin(test)', 'needs the guide on these data too'),
        ('patience = 3', 'there are none'),
        ('every = 3', 'neither is asked for'),
        ('held_out = (3, q(x))', 'a model was expected here'),
        ('checkpoint = 3', 'the path of a file'),
    ]:
        code, _, err = run(NETWORK + f'infer(lin(x), q(x), steps = 10, {options})')
        check(options, code == 1 and words in err, err)
    code, _, err = run(DATA + 'infer(lin(x), guide = auto_normal(), steps = 10, held_out = lin(test))')
    check('latents of its own', code == 1 and 'latents of their own' in err, err)
    code, _, err = run('model m { a ~ Normal(0, 1); observe 1 ~ Normal(a, 1) }\ninfer(m, method = map(), checkpoint = "x")')
    check('not by steps', code == 1 and 'map() has none' in err, err)


def interrupted():
    p = start(NETWORK + 'fit = infer(lin(x), q(x), steps = 100000000)\nprint("after")')
    time.sleep(0.7)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    check('interrupt: 130, what was reached is reported', p.returncode == 130 and '"stop": "interrupted"' in out,
          (p.returncode, out[:500], err[-300:]))


def progress():
    """On a terminal a live line; elsewhere none within the first ten seconds."""
    path = os.path.join(folder, 'p.ppl')
    open(path, 'w').write(NETWORK + 'fit = infer(lin(x), q(x), batch = {i: 50}, epochs = 1500, optimizer = adam(0.01, schedule = cosine()))')
    master, slave = pty.openpty()
    p = subprocess.Popen([PPL, 'run', path], stdout=subprocess.DEVNULL, stderr=slave, close_fds=True)
    os.close(slave)
    text = b''
    try:
        while chunk := os.read(master, 4096):
            text += chunk
    except OSError:
        pass
    p.wait()
    lines = [l for l in text.decode().split('\r') if 'left' in l]
    shape = re.compile(r'svi lin  epoch \d+/1500  step \d+/15000  ELBO per element -\d\.\d+  rate 0\.\d+  \d+ steps/s  \d+:\d\d left')
    check('a live line', lines and all(shape.match(l) for l in lines), lines[:2])
    done = subprocess.run([PPL, 'run', path], text=True, capture_output=True)
    check('no line elsewhere', 'left' not in done.stderr, done.stderr)


killed_and_continued(), refused(), held_out(), interrupted(), progress()
for f in os.listdir(folder):
    os.unlink(os.path.join(folder, f))
os.rmdir(folder)
finish()
