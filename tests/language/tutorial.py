#!/usr/bin/env python3
"""The tutorial (examples/README.md): every ```sh block runs, every ```repl block goes to the REPL, and what they print is what
the ```text block behind them says, to the letter. `--update` writes what is printed today.
"""
import os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))
PAGE = os.path.join(ROOT, 'examples', 'README.md')
BLOCK = re.compile(r'^```(sh|repl)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?', re.M | re.S)


def run_repl(text, folder):
    done = subprocess.run(f'{PPL} repl 2>&1', shell=True, input=text, capture_output=True, text=True, cwd=folder, timeout=60,
                          check=False)
    return done.stdout, done.returncode


def run_shell(text, folder):
    path = os.pathsep.join([os.path.dirname(os.path.abspath(PPL)), os.environ['PATH'], os.path.join(HERE, 'standin')])
    done = subprocess.run(['bash', '-euo', 'pipefail', '-c', text], capture_output=True, text=True, cwd=folder, timeout=120,
                          env=dict(os.environ, PATH=path), check=False)
    return done.stdout if done.returncode == 0 else done.stdout + done.stderr, done.returncode


def main():
    with open(PAGE, encoding='utf-8') as f:
        page = f.read()
    failed, parts, end = 0, [], 0
    blocks = list(BLOCK.finditer(page))
    with tempfile.TemporaryDirectory() as folder:
        for m in blocks:
            kind, text, wanted = m.groups()
            said, code = (run_repl if kind == 'repl' else run_shell)(text, folder)
            parts += [page[end:m.start()], f'```{kind}\n{text}```\n' + (f'\n```text\n{said}```\n' if said else '')]
            end = m.end()
            if '--update' not in sys.argv and (code or said != (wanted or '')):
                failed += 1
                print(f'FAIL {text.splitlines()[0]} ...: exit {code}, printed\n{said}instead of\n{wanted}')
    if '--update' in sys.argv:
        with open(PAGE, 'w', encoding='utf-8') as f:
            f.write(''.join(parts) + page[end:])
    failed += not blocks
    print(f'{len(blocks) - failed} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
