#!/usr/bin/env python3
"""The REPL: what it says to a script that comes through a pipe, and a session on a terminal, keys in, screen out
(through tmux; skipped, and said so, where there is none).
"""
import os, re, shutil, subprocess, sys, tempfile, time

from results import report
from terminal import Terminal

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))
MODEL = 'data y = [1.0, 2, 3]\nmodel m {\n    mu ~ Normal(0, 1)\n    plate i in 1..3 { y[i] ~ Normal(mu, 1) }\n}\n'

# name, input, the whole of standard output (a pattern where it begins with ~), words of standard error
SCRIPTS = [
    ('the last value', '1 + 2\n_ * 2\nx = 5\n_\n', '3\n6\n6\n', []),
    ('unfinished', 'x = [1,\n2]\nx +\n1\nif x[1] > 0 {\nprint("yes")\n}\n', '[2, 3]\nyes\n', []),
    ('an empty line ends', 'x = (1 +\n\n2\n', '2\n', ['expected an expression']),
    ('a matrix', '[[1, 2.25], [10, 3]]\n', 'array [2, 2]\n     1  2.25\n    10     3\n', []),
    ('long', 'seq(1, 1000)\n', '[1, 2, 3, 4, 5, ..., 996, 997, 998, 999, 1000]  (1000 numbers)\n', []),
    ('slices', 'zeros(1, 1, 2)\n', 'array [1, 1, 2]\n[1, :, :]\n    0    0\n', []),
    ('wide', 'len(str(eye(3)))\nones(2, 40)\n', '~33\narray \\[2, 40\\]\n( +1){5} +\\.\\.\\.( +1){5}\n.*\n', []),
    ('text', '"a\\n"\n', '"a\\n"\n', []),
    ('a record', '{mu: 1, sd: seq(1, 30), more: "' + 'x' * 60 + '"}\n',
     '  mu    1\n  sd    [1, 2, 3, 4, 5, ..., 26, 27, 28, 29, 30]  (30 numbers)\n  more  "' + 'x' * 60 + '"\n', []),
    ('functions and distributions', 'fn f(a, b = 1) = a\nf\nNormal(0, 2)\n', 'fn f(a, b = ...)\nNormal(loc = 0, scale = 2)\n', []),
    ('an error keeps the session', 'x = 2\nfoo(x)\nx\n', '2\n', ['foo is not known here']),
    ('redefinition', MODEL + 'fit = infer(m, steps = 50)\na = fit.mu[1]\nmodel m { k ~ Normal(0, 9) }\nfit.mu[1] == a\n'
     'simulate(m).k == 0\n', 'true\nfalse\n', []),
    ('the density of a model', MODEL + 'logpdf(m, {mu: 0})\n', '~-10\\.67\\d*\n', []),
    ('a net keeps what it learned', 'net f(x) {\n param w: real = 3\n w * x\n}\nmodel m { observe 6.0 ~ Normal(f(2), 1)\n z ~ Normal(0, 1) }\n'
     'fit = infer(m, steps = 10)\nf(1) == fit.params.f.w\n', 'true\n', []),
    ('vars', 'x = 1\nfn f(a) = a\n:vars\n', 'x  the number 1\nf  fn f(a)\n', []),
    ('type', ':type Gamma(1, [2, 3])\n:type 1..3\n', '~a distribution, Gamma, over positive numbers, shape \\[2\\]\nthe range 1\\.\\.3\n', []),
    ('trace', MODEL + ':trace m\n', '~address  log density .*\nmu       -\\d.*Normal\\(loc = 0, scale = 1\\) .*\n'
     'y\\[i\\]     -\\d.*data: \\[1, 2, 3\\]\nlog density of all: -\\d.*\n', []),
    ('the trace adds up', 'model one { a ~ Delta(2)\n observe 2.0 ~ Normal(a, 1) }\n:trace one\n',
     '~(.*\n)*observe.* +-0.918939.*\nlog density of all: -0.918939\n', []),
    ('sites', MODEL.replace('mu ~', 'k ~ Poisson(3)\n    mu ~') + ':sites m\n',
     '~.*\nk +whole numbers from 0 .*must draw it\nmu +real numbers +by the guide\ny\\[i\\] +i in 1..3 .*data\n', []),
    ('params', ':params\n' + MODEL + 'fit = infer(m, steps = 10)\n:params\n',
     '~the latest fit learned no parameters.*\nmvn_guide.loc +\\[1\\] .*\n(.*\n)*', []),
    ('why', 'x = [1, 2]\nx[3]\n:why\n', '~(.*\n)*  x = \\[1, 2\\]\n', ['outside']),
    ('why not', ':why\n', 'nothing has gone wrong\n', []),
    ('time', ':time 1 + 1\n', '~2\n[\\d.e-]+ s\n', []),
    ('profile', MODEL + ':profile fit = infer(m, steps = 50)\n:profile x = 1\n',
     '~\n[\\d.]+ s in all, .*\n  share .*statement\n( +[\\d.]+ % .*\n){12,13}\n0.000 s in all, .*\n', []),
    ('doc', ':doc softplus\n', '~softplus.*\n(.*\n)*', []),
    ('no such name', ':doc softplsu\n', '', ['softplus']),
    ('no such command', ':nonsense\n:tpye 1\n', '', [':help lists the commands', 'did you mean :type?']),
    ('what a command needs', ':load\n', '', [':load needs a FILE']),
    ('no such file', ':load nowhere.ppl\n:data nowhere.csv\n1\n', '1\n', ['nowhere.ppl', 'nowhere.csv', 'No such file']),
    ('load and reload', ':load two.ppl\ntwo\n:reload\ntwo\n', '2\n2\n', []),
    ('data', ':data y.csv\nsum(y)\n', 'y  an array of shape [3]\nz  an array of shape [3]\n6\n', []),
    ('save', 'a = 1\nfoo(\n\na + 1\nb_ = _ * 2\nmodel m { z ~ Normal(0, 1) }\nprint("b")\nmodel m {\nz ~ Normal(0, 2)\n}\n:save out.ppl\n', '2\nb\n',
     ['expected']),
    ('leave', '1\n:q\n2\n', '1\n', []),
    ('what is not needed', '(_, b) = (1, 2)\nb\n', '2\n', []),
]


SAVED = 'a = 1\nprint(a + 1)\nb_ = (a + 1) * 2\nmodel m {\n    z ~ Normal(0, 2)\n}\nprint("b")\n'


def check_script(folder, name, text, output, words):
    done = subprocess.run([PPL, 'repl'], input=text, capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    if done.returncode != 0:
        return f'exit {done.returncode}: {done.stderr}'
    same = re.fullmatch(output[1:], done.stdout) if output.startswith('~') else done.stdout == output
    if not same:
        return f'said\n{done.stdout}{done.stderr}instead of\n{output}'
    lost = [w for w in words if w not in done.stderr]
    return f'standard error does not say {lost}: {done.stderr}' if lost or (not words and 'error' in done.stderr) else None


def check_reload(folder):
    """:reload runs the file and what it imports as they are now."""
    def write(name, text):
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
            f.write(text)
    write('part.ppl', 'part = 1\n')
    write('whole.ppl', 'import "part.ppl"\nwhole = part + 1\n')
    with subprocess.Popen([PPL, 'repl'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as p:
        p.stdin.write(':load whole.ppl\nwhole\n')
        p.stdin.flush()
        before = p.stdout.readline()
        write('part.ppl', 'part = 10\n')
        after = p.communicate(':reload\nwhole\n', timeout=60)[0]
    return None if (before, after) == ('2\n', '11\n') else repr((before, after))


PROMPT = r'^> ?$(?![\s\S]*\S)'

# keys, then what the screen must show before the next
SESSION = [
    (['data y = [1.0, 2, 3]', 'Enter'], r'^> data y = .*\n> ?$'),
    (['model m {', 'Enter'], r'^\.\.\. ?$'),
    (['mu ~ Normal(0, 1)', 'Enter', 'plate i in 1..3 { y[i] ~ Nomal(mu, 1) }', 'Enter', '}', 'Enter'],
     r'Nomal is not known here[\s\S]*did you mean Normal\?'),
    (['Up'], r'^> model m \{\n(.*\n)*\}'),
    (['C-c'], PROMPT),
    (['model m {', 'Enter', 'mu ~ Normal(0, 1)', 'Enter', 'plate i in 1..3 { y[i] ~ Normal(mu, 1) }', 'Enter', '}', 'Enter'],
     PROMPT),
    (['fit = infer(m, steps = 1000000000)', 'Enter'], r'step \d+'),
    (['C-c'], r'note: interrupted; the fit holds what was reached\n> ?$'),
    (['fit.m', 'Tab', 'Enter'], r'^> fit\.mu\n\[.*\]  \(4000 numbers\)'),
    (['softp', 'Tab', '(0)', 'Enter'], r'^> softplus\(0\)\n0\.693147'),
    (['fit.', 'Tab', 'Tab'], r'fit\.elbo .*fit\.'),
    (['C-c'], r'\^C\n> ?$'),
    ([':tra', 'Tab', 'm', 'Enter'], r'^log density of all: -'),
    (['plot(fit.mu, width = 40, ascii = true)', 'Enter'], r'#{20,}[\s\S]*\n> ?$'),
    (['while true { }', 'Enter'], r'^> while true \{ \}$'),
    (['C-c'], r'note: interrupted\n> ?$'),
    (['"still "', 'Enter'], r'^"still "$'),
    (['Up', 'Enter'], r'("still "\n> "still "\n){1}"still "'),
    (['C-d'], r''),
]
AGAIN = [
    (['Up'], r'^> "still "'),
    (['Enter'], r'^"still "$'),
]


def check_session(folder):
    terminal = Terminal(folder, PPL)
    try:
        for steps in (SESSION, AGAIN):
            begun = terminal.begin()
            if begun.returncode:
                return f'tmux: {begun.stderr}'
            if not terminal.expect(r':quit leaves\n> ?$'):
                return f'no prompt:\n{terminal.screen()}'
            for keys, pattern in steps:
                for key in keys:
                    terminal.tmux('send-keys', key)
                if pattern and not terminal.expect(pattern):
                    return f'after {keys} the screen does not show {pattern}:\n{terminal.screen()}'
            time.sleep(0.2)
        return None
    finally:
        terminal.end()


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'two.ppl'), 'w', encoding='utf-8') as f:
            f.write('two = 2\n')
        with open(os.path.join(folder, 'y.csv'), 'w', encoding='utf-8') as f:
            f.write('y,z\n1,2\n2,2\n3,2\n')
        results = [(script[0], check_script(folder, *script)) for script in SCRIPTS]
        with open(os.path.join(folder, 'out.ppl'), encoding='utf-8') as f:
            saved = f.read()
        results.append(('reload reads imports again', check_reload(folder)))
        results.append(('what was saved', None if saved == SAVED else repr(saved)))
        if shutil.which('tmux'):
            results.append(('a session on a terminal', check_session(folder)))
        else:
            print('skip the session on a terminal: there is no tmux')
    return report(results)


sys.exit(main())
