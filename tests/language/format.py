#!/usr/bin/env python3
"""ppl fmt: every program of the repository, laid out twice, gives the same text and the same tree, with the same
comments; what is hard to lay out is compared with what it should become.
"""
import os, subprocess, sys, tempfile

from results import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))
ACCEPTANCE = os.path.join(os.path.dirname(ROOT), 'shared', 'acceptance')

# what is given, what is to come of it
CASES = [
    ('x=1+2*-3^2   # why\n', 'x = 1 + 2 * -3 ^ 2  # why\n'),
    ('a=1;;b=2;\n\n\n\nc   =  a[ 1 , : ]\n', 'a = 1; b = 2\n\nc = a[1, :]\n'),
    ('model m{mu~Normal(0,1)\nplate i in 1 .. 3{y[i]~Normal(mu,1)}}\n',
     'model m {\n    mu ~ Normal(0, 1)\n    plate i in 1..3 { y[i] ~ Normal(mu, 1) }\n}\n'),
    ('if a { x = 1 }\nelse { x = 2\n}\n', 'if a {\n    x = 1\n} else {\n    x = 2\n}\n'),
    ('mu    ~ Normal(0,1)\nsigma ~ Normal(0, 1)\nt ~ Gamma(1, 1)\n',
     'mu    ~ Normal(0, 1)\nsigma ~ Normal(0, 1)\nt ~ Gamma(1, 1)\n'),
    ('a = 1   # one\nbb = 22 # two\n        # and more\n', 'a = 1    # one\nbb = 22  # two\n         # and more\n'),
    ('a = 1    # one\nbb = 22  # two\n', 'a = 1    # one\nbb = 22  # two\n'),
    ('data a:   real[N]   = 1\ndata bcd: int[N, M] = 2\n', 'data a:   real[N]   = 1\ndata bcd: int[N, M] = 2\n'),
    ('fn f(x) =\n  a +\n b\nmodel m(a,\n  b) {\nx ~ N\n}\n',
     'fn f(x) =\n    a +\n        b\nmodel m(a,\n        b) {\n    x ~ N\n}\n'),
    ('m = [[1,  2],\n     [10, 20]]\n', 'm = [[1,  2],\n     [10, 20]]\n'),
    ('y = f(x,\n  # the rest\n  a = 1)\n', 'y = f(x,\n      # the rest\n      a = 1)\n'),
    ('h = x\n|> dense(3)  # wide\n |> relu\n', 'h = x\n    |> dense(3)  # wide\n    |> relu\n'),
    ('r = {mu:1,sd:{a:2}}.sd\ng = ( x,y )->x@y\nu = not (true) or -(1) < 2\n',
     'r = {mu: 1, sd: {a: 2}}.sd\ng = (x, y) -> x @ y\nu = not (true) or -(1) < 2\n'),
    ('x = (1 +\n', None),
    ('# only a comment', '# only a comment\n'),
    ('', ''),
    ('\ufeffx = 1\r\n', 'x = 1\n'),
    ('fn f(x) {}\n', 'fn f(x) {}\n'),
    ('dist D(p: unit , r: positive) on real(0,1)[ 3 ] { logpdf(x)=0; draw()=1 }\n',
     'dist D(p: unit, r: positive) on real(0, 1)[3] { logpdf(x) = 0; draw() = 1 }\n'),
    ('x = ' + ' + '.join(f'summand_{k}' for k in range(14)) + '\n',
     'x = summand_0 + summand_1 + summand_2 + summand_3 + summand_4 + summand_5 + summand_6 + summand_7 + '
     'summand_8 +\n    summand_9 + summand_10 + summand_11 + summand_12 + summand_13\n'),
    ('fit = infer(a_model(with_arguments), a_guide(with_arguments), steps = 20000, optimizer = adam(0.001), seed = 12, draws = 8)\n',
     'fit = infer(a_model(with_arguments), a_guide(with_arguments), steps = 20000, optimizer = adam(0.001), '
     'seed = 12,\n            draws = 8)\n'),
    ('if some_long_condition(x) { print("the first branch", x, y) } else { print("the second branch of these two here", x, y, z, u) }\n',
     'if some_long_condition(x) {\n    print("the first branch", x, y)\n} else {\n'
     '    print("the second branch of these two here", x, y, z, u)\n}\n'),
]


def ppl(*arguments, text=None):
    done = subprocess.run([PPL, *arguments], input=text and text.encode(), capture_output=True, timeout=60, check=False)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def programs():
    for folder in ('stdlib', 'examples', 'tests', ACCEPTANCE):
        for path, _, names in os.walk(os.path.join(ROOT, folder)):
            yield from (os.path.join(path, name) for name in sorted(names) if name.endswith('.ppl'))


def comments(text):
    """What stands behind the first # of each line that is not in a string."""
    found = []
    for line in text.split('\n'):
        quoted = False
        for k, c in enumerate(line):
            if c == '"' and line[k - 1:k] != '\\':
                quoted = not quoted
            elif c == '#' and not quoted:
                found.append(line[k:].rstrip())
                break
    return found


def check_case(given, wanted):
    done = ppl('fmt', '-', text=given)
    if wanted is None:
        return None if done.returncode == 1 and done.stderr else f'{given!r}: a mistake was expected'
    if done.returncode or done.stdout != wanted:
        return f'{given!r} became\n{done.stdout}{done.stderr}\ninstead of\n{wanted}'
    again = ppl('fmt', '-', text=done.stdout)
    return None if again.stdout == done.stdout else f'{given!r}: laid out again it is\n{again.stdout}'


def check_program(path):
    with open(path, encoding='utf-8', newline='') as f:
        text = f.read()
    once = ppl('fmt', '-', text=text)
    if once.returncode:  # wrong programs are left alone
        return None if 'tests' in path or 'errors' in path else once.stderr
    if ppl('fmt', '-', text=once.stdout).stdout != once.stdout:
        return 'the second layout differs from the first'
    if comments(text) != comments(once.stdout):
        return 'the comments are not the same'
    trees = [ppl('check', '--tree', '-', text=t) for t in (text, once.stdout)]
    return None if trees[0].stdout == trees[1].stdout else 'the tree is another'


def check_files():
    """In place, and --check."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'a.ppl')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('x=1\n')
        codes = [ppl('fmt', '--check', path).returncode, ppl('fmt', path).returncode, ppl('fmt', '--check', path).returncode]
        with open(path, encoding='utf-8') as f:
            text = f.read()
    return None if codes == [1, 0, 0] and text == 'x = 1\n' else f'{codes}, {text!r}'


def check_laid_out():
    """The programs of the repository are laid out; those with several programs or mistakes are not asked."""
    loose = [os.path.relpath(p, ROOT) for p in programs()
             if not p.startswith(ACCEPTANCE) and '/tests/' not in p and ppl('fmt', '--check', p).returncode]
    return None if not loose else 'not laid out: ' + ' '.join(loose)


def main():
    results = [(repr(given), check_case(given, wanted)) for given, wanted in CASES]
    results += [(os.path.relpath(path, ROOT), check_program(path)) for path in programs()]
    results += [('files', check_files()), ('examples and library', check_laid_out())]
    return report(results)


sys.exit(main())
