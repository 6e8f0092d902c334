#!/usr/bin/env python3
"""Runs the programs of this folder and compares what they print with what stands beside the line.

    print(1 + 2)        # => 3          the next line of output
    x = [1, 2][3]       # !! outside    fails here: exit 1 (or 4), the line number and these words in the message

A line `# ---` ends one program and begins the next. Numbers may differ by 1e-6 (relative) from what is written.
usage: tests/language/run.py [FILE ...]
"""
import concurrent.futures, os, re, subprocess, sys, tempfile

from results import report, same_text

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))


def sections(path):
    """(first line number, lines) of each program in the file."""
    part, first = [], 1
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f.read().split('\n'), 1):
            if line.strip() == '# ---':
                yield first, part
                part, first = [], number + 1
            else:
                part.append(line)
    yield first, part


def run(path, first, lines):
    """None, or what went wrong."""
    wanted, failure = [], None
    for number, line in enumerate(lines, first):
        for text in re.findall(r'#\s*=>\s?(.*)$', line):
            wanted.append((number, text.rstrip()))
        for text in re.findall(r'#\s*!!\s*(.*)$', line):
            failure = (number, text.rstrip())
    if not wanted and not failure:
        return 'nothing is expected of this program'
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, os.path.basename(path))
        with open(name, 'w', encoding='utf-8') as f:
            bare = [re.sub(r'#\s*!!.*$', '', line) for line in lines]  # messages show the line: not what is expected
            f.write('\n' * (first - 1) + '\n'.join(bare))  # line numbers stay as they are
        try:
            done = subprocess.run([PPL, 'run', '--quiet', os.path.basename(path)], cwd=folder, capture_output=True,
                                  text=True, timeout=60, errors='replace')
        except subprocess.TimeoutExpired:
            return 'did not end within 60 seconds'
    output = done.stdout.splitlines()
    for (number, want), have in zip(wanted, output):
        if not same_text(have, want):
            return f'line {number}: expected {want!r}, got {have!r}'
    if done.returncode not in ((1, 4) if failure else (0,)):  # 4: a numerical failure
        return f'exit {done.returncode}\n{done.stderr.strip()}'
    if len(output) != len(wanted):
        return f'{len(output)} lines of output, {len(wanted)} expected; output ends {output[-2:]}'
    if failure:
        number, words = failure
        place = f'{os.path.basename(path)}:{number}:'
        if words not in done.stderr or place not in done.stderr:
            return f'expected {place} ... {words!r}, got\n{done.stderr.strip()}'
    return None


def main():
    paths = sys.argv[1:] or sorted(os.path.join(HERE, n) for n in os.listdir(HERE) if n.endswith('.ppl'))
    tasks = [(p, first, lines) for p in paths for first, lines in sections(p)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results = pool.map(lambda t: run(*t), tasks)
    return report([(f'{os.path.relpath(path, ROOT)}:{first}', why) for (path, first, _), why in zip(tasks, results)])


sys.exit(main())
