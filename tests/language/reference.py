#!/usr/bin/env python3
"""What `ppl help` says: every name of the language has a text and an example (stdlib/reference.txt), and every example
gives what stands behind its `# =>`. The page stdlib/reference.md says the same; `--update` writes it.
"""
import functools, os, re, subprocess, sys, tempfile

from results import report, same_text

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))
# gnuplot is no part of what is built and tested: a stand-in at the end of PATH takes its place where it is absent.
ENVIRONMENT = dict(os.environ, PATH=os.environ['PATH'] + os.pathsep + os.path.join(HERE, 'standin'))
FORMS = os.path.join(ROOT, 'runtime', 'cli', 'forms.def')
# What these files define names a source, unless it is plain arithmetic that its own text defines whole.
SOURCED = ['stdlib/nets.ppl', 'stdlib/flows.ppl', 'stdlib/guides.ppl', 'stdlib/initialisers.ppl',
           'stdlib/refinement.ppl', 'runtime/infer/methods.c', 'runtime/infer/objective.c',
           'runtime/infer/optimizers.def']
PLAIN = {'dense', 'max_pool', 'mean_pool',            # a product, a largest number, a mean
         'flow_chain', 'reverse_flow', 'affine_flow', # one map after another, the reverse order, a product
         'auto_delta', 'delta_guide',                 # a point
         'normal_init', 'uniform_init',               # draws of Normal, of Uniform
         'batch_standardize', 'direction_and_length'} # less the mean, over the standard deviation; of layer_norm
FORMULA = re.compile(r'logpdf\(x\) =|density|\b(?:cdf|sf)\s|P\(|[!^]')
YEAR = re.compile(r'\b(?:17|18|19|20)\d\d\b')


def entries():
    """(names, text, example lines) of each entry."""
    names, text, lines = [], '', []
    with open(os.path.join(ROOT, 'stdlib', 'reference.txt'), encoding='utf-8') as f:
        for line in f.read().split('\n'):
            if line.startswith('    '):
                lines.append(line[4:])
                continue
            if names:
                yield names, text, lines
            head, _, text = line.partition(': ')
            names, lines = [] if line.startswith('#') else head.split(), []
    if names:
        yield names, text, lines


def run(lines):
    program, wanted = [], []
    for line in lines:
        code, shown, value = line.partition('  # => ')
        wanted += [value] if shown else []
        program.append(f'print({code})' if shown and not code.startswith('print(') else code)
    if not wanted:
        return 'shows nothing'
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([PPL, 'run', '--quiet', '-'], input='\n'.join(program), capture_output=True, text=True,
                              timeout=60, cwd=folder, check=False, env=ENVIRONMENT)
    output = done.stdout.splitlines()
    if re.search(r'\b(plot\w*|show_images)\(', ''.join(lines)):  # pictures have their own tests: plots.ppl, pictures.py
        output = output[-len(wanted):]
    if done.returncode or len(output) != len(wanted):
        return f'exit {done.returncode}, {len(output)} of {len(wanted)} lines: {done.stderr}'
    return '; '.join(f'{want!r} expected, {have!r} came' for have, want in zip(output, wanted) if not same_text(have, want, 1e-5))


@functools.lru_cache(None)
def help_on(name):
    return subprocess.run([PPL, 'help', name], capture_output=True, text=True, timeout=60, check=False).stdout


def names_of(group):
    return [name for line in help_on(group).splitlines()[:-1] for name in line.split()]


def all_names():
    return names_of('functions') + names_of('distributions')


def page(statements):
    """What `ppl help` says of everything, as one page."""
    out = ['# Reference\n\nEvery statement, distribution and function, as `ppl help NAME` explains it. Generated from the definitions and from '
           '`reference.txt`\nby `python3 tests/language/reference.py --update`; the tests run the examples and compare this page.\n']
    dists = names_of('distributions')
    for title, names in (('Statements', statements), ('Distributions', dists),
                         ('Functions', [n for n in names_of('functions') if n not in dists])):
        out.append(f'## {title}\n')
        out += [f'### {name}\n\n```text\n{help_on(name).rstrip()}\n```\n' for name in names]
    return '\n'.join(out)


def check_page(text):
    path = os.path.join(ROOT, 'stdlib', 'reference.md')
    if '--update' in sys.argv:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
    with open(path, encoding='utf-8') as f:
        return None if f.read() == text else 'is not what `ppl help` says; --update writes it anew'


def problem_of_name(name, explained):
    said = help_on(name).splitlines()
    if any('not there yet' in line for line in said):
        return None
    if name not in explained:
        return 'has no entry'
    second = said[1].strip() if len(said) > 1 else ''
    own_text = second not in ('', 'elementwise', 'for example') and not second.startswith(('members:', '= '))
    if not own_text and not explained[name]:
        return 'has no text'
    return None if '  for example' in said else 'its help shows no example'


GIVEN = '''n = 3; k = 1; x = [1, 2, 3]; y = [4, 5, 6]; p = [0.5, 0.5]; a = [[2, 1], [1, 2]]; b = a
fn f(v) = 2 * v
model m { mu ~ Normal(0, 1); observe 1 ~ Normal(mu, 1) }
'''


def foreign_names():
    """What a name of another language is said to be here runs, and is what the hint says."""
    text = open(os.path.join(ROOT, 'lang', 'foreign.def'), encoding='utf-8').read()
    texts = re.findall(r'^FOREIGN_TEXT\("(\w+)", "(.*)"\)$', text, re.M)
    codes = [(name, code.replace('\\"', '"')) for name, code in re.findall(r'^FOREIGN\("(\w+)", "(.*)"\)$', text, re.M)]
    program = GIVEN + '\n'.join(f'print("{name}", type({code}))' for name, code in codes)
    done = subprocess.run([PPL, 'run', '--quiet', '-'], input=program, capture_output=True, text=True, timeout=60, check=False)
    yield 'foreign.def', done.stderr if done.returncode or len(done.stdout.splitlines()) != len(codes) else ''
    rows = len(re.findall('^FOREIGN', text, re.M))
    yield 'rows of foreign.def', '' if rows == len(codes) + len(texts) > 100 else f'{rows}, of which {len(codes)} and {len(texts)} are tried'
    for name, hint in [(n, 'here it is ' + c) for n, c in codes] + texts:
        done = subprocess.run([PPL, 'check', '-'], input=f'print({name})', capture_output=True, text=True, timeout=60, check=False)
        yield f'the hint for {name}', '' if hint in done.stderr else done.stderr


def described(name):
    """(signature, text) of the help, without formulas and examples."""
    lines = help_on(name).partition('  for example\n')[0].split('\n')
    heads = [l for l in lines if re.match(rf'(?:\w+ )?{name}\(', l)]  # `refine` is a statement, too
    text = [l for l in lines if l.startswith('  ') and not re.match(r'\s*(=|members:|logpdf\(x\) =) ', l)]
    return heads[0] if heads else '', '\n'.join(text)


def params(head):
    """{name: has it a default?} of the first pair of brackets."""
    inner, depth = '', 0
    for c in head[head.find('('):]:
        depth += (c in '([{') - (c in ')]}')
        if depth == 0:
            break
        inner += c if depth == 1 and c not in ')]}' else ''  # what stands in brackets has commas of its own
    pieces = [p for p in inner[1:].split(',') if p.strip(' .')]
    return {re.match(r'\s*(\w+)', p).group(1): '=' in p for p in pieces}


def unexplained_params(head, text):
    return ', '.join(p for p, optional in params(head).items() if optional and not re.search(rf'\b{p}\b', text))


def sourced_names():
    found = set()
    for file in SOURCED:
        with open(os.path.join(ROOT, file), encoding='utf-8') as f:
            found |= set(re.findall(r'^(?:fn |net |dist | *\{"|OPTIMIZER\()([A-Za-z]\w*)\b', f.read(), re.M))
    return found


def problem_of_text(name, sourced):
    head, text = described(name)
    if not head and not help_on(name).startswith(f'{name}: an optimizer'):
        return 'its help shows no parameters'
    missing = unexplained_params(head, text)
    if missing:
        return f'its help says nothing of {missing}'
    if 'not there yet' in text or name not in sourced:
        return None
    if name in PLAIN:
        return 'names a source: it need not stand in PLAIN' if YEAR.search(text) else None
    return None if YEAR.search(text) else 'its help names no source, as (Kingma and Ba 2015)'


def main():
    results, explained = list(foreign_names()), {}
    for names, text, lines in entries():
        results.append((' '.join(names), run(lines)))
        words = set(re.findall(r'\w+', text + ' ' + ' '.join(lines)))
        for name in names:
            if name in explained:
                results.append((name, 'has two entries'))
            if name not in words:
                results.append((name, 'does not stand in its examples'))
            explained[name] = text
    statements = re.findall(r'^FORM\("(\w+)"', open(FORMS, encoding='utf-8').read(), re.M)
    known = set(all_names()) | {'pi'} | set(statements) - {'import'}  # import needs a second file
    results += [(name, problem_of_name(name, explained)) for name in sorted(known)]
    results += [(name, 'is not a name of the language') for name in sorted(set(explained) - known)]
    sourced = sourced_names()
    results += [(name, problem_of_text(name, sourced)) for name in sorted(all_names())]
    results += [(name, None if FORMULA.search(help_on(name).partition('  for example')[0])
                 else 'its help shows no formula') for name in sorted(names_of('distributions'))]
    results += [(name, 'stands in PLAIN and is no such name') for name in sorted(PLAIN - sourced)]
    results.append(('stdlib/reference.md', check_page(page(statements))))
    return report(results)


sys.exit(main())
