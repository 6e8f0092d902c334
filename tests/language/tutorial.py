#!/usr/bin/env python3
"""The tutorial (examples/README.md and the pages beside it). Every ```sh block runs, and what it prints is what the ```text block
behind it says, to the letter; the blocks of a page share a folder. Every ```terminal block is a session at the prompt of a
terminal, keys in, screen out (through tmux; skipped, and said so, where there is none). `--update` writes what is printed
today by the ```sh blocks.

In a terminal block a line that begins with a prompt is typed. [TAB], [UP] and [CTRL-C] are keys; behind [CTRL-C] the
terminal is left alone until a long inference is seen at work. In what must come, "…" stands for anything.
"""
import glob, os, re, shutil, subprocess, sys, tempfile, time

from terminal import Terminal

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.path.abspath(os.environ.get('PPL', os.path.join(ROOT, 'ppl')))
PAGES = sorted(glob.glob(os.path.join(ROOT, 'examples', '*.md')))
BLOCK = re.compile(r'^```(sh|terminal)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?', re.M | re.S)
KEYS = {'[TAB]': 'Tab', '[UP]': 'Up', '[CTRL-C]': 'C-c'}


def run_shell(text, folder):
    path = os.pathsep.join([os.path.dirname(PPL), os.environ['PATH']])
    done = subprocess.run(['bash', '-euo', 'pipefail', '-c', text], capture_output=True, text=True, cwd=folder, timeout=120,
                          env=dict(os.environ, PATH=path), check=False)
    return done.stdout if done.returncode == 0 else done.stdout + done.stderr, done.returncode


def steps_of(block):
    """[(what is typed, its lines of output)]: the lines of a statement are steps of their own."""
    steps = []
    for line in block.rstrip('\n').split('\n'):
        m = re.match(r'(?:> |\.\.\. ?)(.*)', line)
        if m:
            steps.append((m[1], []))
        else:
            steps[-1][1].append(line)
    return steps


def type_keys(terminal, typed):
    """Keys, then Enter where they did not end with one of their own."""
    for part in re.split(r'(\[TAB\]|\[UP\]|\[CTRL-C\])', typed):
        if part == '[CTRL-C]':
            terminal.tmux('send-keys', 'Enter')
            if not terminal.expect(r'step \d+'):
                return 'no progress was shown'
        if part in KEYS:
            terminal.tmux('send-keys', KEYS[part])
            time.sleep(0.2)
        elif part:
            terminal.tmux('send-keys', '-l', part)
    if not typed.endswith('[CTRL-C]'):
        terminal.tmux('send-keys', 'Enter')
    return None


def tail_pattern(typed, output):
    """The end of the screen: the line as it stands after completion, what it prints, a prompt."""
    echo = '.*' if '[UP]' in typed else r'(?:> |\.\.\. ?)' + re.escape(re.split(r'\[(?:TAB|CTRL-C)\]', typed)[0]) + '.*'
    lines = ['.*'.join(re.escape(p) for p in line.split('…')) for line in output]
    return '^' + r'\n'.join([echo, *(line + r'\s*?' for line in lines)]) + r'\n(?:> ?|\.\.\. ?)\s*\Z'


def run_terminal(text, folder):
    """What went otherwise; None: nothing."""
    terminal = Terminal(folder, PPL)
    try:
        begun = terminal.begin()
        if begun.returncode:
            return f'tmux: {begun.stderr}'
        if not terminal.expect(r':quit leaves\n> ?$'):
            return f'no prompt:\n{terminal.screen()}'
        for typed, output in steps_of(text):
            problem = type_keys(terminal, typed)
            if problem or not terminal.expect(tail_pattern(typed, output)):
                return f'after {typed!r} the screen does not end in {output}: {problem or ""}\n{terminal.screen()}'
        return None
    finally:
        terminal.end()


def check_page(path):
    """(blocks that ran, those that failed, the page as it should be)."""
    with open(path, encoding='utf-8') as f:
        page = f.read()
    ran, parts, end, blocks = 0, [], 0, list(BLOCK.finditer(page))
    failed = int(not blocks)
    with tempfile.TemporaryDirectory() as folder:
        for m in blocks:
            kind, text, wanted = m.groups()
            if kind == 'terminal' and not shutil.which('tmux'):
                print(f'skip {os.path.basename(path)} from its session on: there is no tmux')
                return ran, failed, page
            ran += 1
            if kind == 'terminal':
                problem = run_terminal(text, folder)
            else:
                said, code = run_shell(text, folder)
                parts += [page[end:m.start()], f'```{kind}\n{text}```\n' + (f'\n```text\n{said}```\n' if said else '')]
                end = m.end()
                same = not code and said == (wanted or '')
                problem = None if same or '--update' in sys.argv else f'exit {code}, printed\n{said}instead of\n{wanted}'
            if problem:
                failed += 1
                print(f'FAIL {os.path.basename(path)}: {text.splitlines()[0]} ...: {problem}')
    return ran, failed, ''.join(parts) + page[end:]


def main():
    ran = failed = 0
    for path in PAGES:
        n, bad, page = check_page(path)
        ran, failed = ran + n, failed + bad
        if '--update' in sys.argv:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(page)
    print(f'{max(ran - failed, 0)} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
