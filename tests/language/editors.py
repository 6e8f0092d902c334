#!/usr/bin/env python3
"""The editors' syntax files know the keywords and types of the language, no more and no fewer, and are well formed;
the completion scripts and the manual page name every command and option."""
import json, os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))
passed = failed = 0


def text(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as f:
        return f.read()


def check(name, problem):
    global passed, failed
    if problem:
        failed += 1
        print(f'FAILED {name}: {problem}')
    else:
        passed += 1


def differ(have, want):
    return ' '.join([f'+{w}' for w in sorted(have - want)] + [f'-{w}' for w in sorted(want - have)])


def words_of_language():
    lexer, tokens, tree = text('lang', 'lexer.l'), text('lang', 'tokens.c'), text('lang', 'tree.c')
    reserved = set(re.findall(r'^"([a-z]+)"\s', lexer, re.M))
    forms = set(re.findall(r'\{"([a-z]+)", [A-Z]+\}', tokens))
    types = set(re.findall(r'\[TYPE_[A-Z_]+\] = "([a-z_]+)"', tree)) - {'any'}
    return reserved | forms, types


def words_in(pattern):
    """The words of the alternatives (a|b|c) of a regular expression."""
    return {w for group in re.findall(r'\(([a-z_|]+)\)', pattern) for w in group.split('|')}


def vim_words():
    keywords, types = set(), set()
    for line in text('lang', 'editors', 'vim', 'syntax', 'ppl.vim').split('\n'):
        m = re.match(r'syntax keyword ppl(?!Todo)\w+ (.*)', line)
        if m:
            keywords |= set(m[1].split())
        m = re.match(r'syntax match ppl(Declaration|Effect|Type) (.*)', line)
        if m:
            (types if m[1] == 'Type' else keywords).update(words_in(m[2]) or re.findall(r'<([a-z]+)>', m[2]))
    return keywords, types


def textmate_words():
    keywords, types = set(), set()
    for rule in json.loads(text('lang', 'editors', 'vscode', 'syntaxes', 'ppl.tmLanguage.json'))['patterns']:
        names = [rule.get('name', '')] + [c['name'] for c in rule.get('captures', {}).values()]
        found = words_in(rule.get('match', '')) or set(re.findall(r'^\\b([a-z]+)', rule.get('match', '')))
        if 'support.type.ppl' in names:
            types |= found
        elif any(re.match(r'keyword|storage|constant.language', n) for n in names):
            keywords |= found
    return keywords, types


def run(*arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, **options)


def complete(words):
    """What bash offers for the last of these words."""
    script = run(PPL, 'completion', 'bash').stdout
    array = ' '.join(f"'{w}'" for w in words)
    script += f'\nCOMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _ppl; printf "%s\\n" "${{COMPREPLY[@]}}"'
    path = os.path.dirname(os.path.abspath(PPL)) + os.pathsep + os.environ['PATH']
    return run('bash', '-c', script, cwd=os.path.join(ROOT, 'examples', 'forbes'),
               env={**os.environ, 'PATH': path}).stdout.split()


def main():
    keywords, types = words_of_language()
    extra = {'on', 'with', 'inf', 'nan'}  # of the forms `dist` and `guide`, and two numbers
    for editor, found in ('vim', vim_words()), ('vscode', textmate_words()):
        check(f'{editor}: keywords', differ(found[0], keywords | extra))
        check(f'{editor}: types', differ(found[1], types))
    for name in 'package.json', 'language-configuration.json':
        json.loads(text('lang', 'editors', 'vscode', name))

    commands = set(re.findall(r'^  ppl (\w+)', run(PPL, 'help').stdout, re.M))
    options = set(re.findall(r'^ +(--\w+)', run(PPL, 'help', 'run').stdout, re.M))
    check('commands and options are listed', '' if len(commands) >= 6 and len(options) >= 6 else (commands, options))
    check('bash: commands', differ(commands, set(complete(['ppl', '']))  & commands))
    check('bash: options', differ(options, set(complete(['ppl', 'run', '--'])) - {'--help'}))
    check('bash: programs', differ(set(complete(['ppl', 'run', 'f'])), {'forbes.ppl'}))
    check('bash: data', differ(set(complete(['ppl', 'run', 'forbes.ppl', '--data', 'x', '=', 'forbes.c'])), {'forbes.csv'}))
    check('bash: choices', differ(set(complete(['ppl', 'run', '--precision', ''])), {'double', 'single'}))
    check('bash: names', '' if 'LogNormal' in complete(['ppl', 'help', 'LogN']) else 'LogNormal is not offered')
    zsh, manual = run(PPL, 'completion', 'zsh').stdout, run(PPL, 'manual').stdout
    for word in commands:
        check(f'zsh: {word}', '' if f"'{word}:" in zsh else 'is missing')
        check(f'manual: {word}', '' if f'\\fB{word}\\fR' in manual else 'is missing')
    for word in options:
        check(f'zsh: {word}', '' if f'{word}[' in zsh or f'{word}=[' in zsh else 'is missing')
        check(f'manual: {word}', '' if word.replace('-', '\\-') in manual else 'is missing')
    wrong = run(PPL, 'completion', 'fish')
    check('another shell', '' if wrong.returncode == 2 and 'bash or zsh' in wrong.stderr else wrong)
    if run('sh', '-c', 'command -v zsh').stdout:
        check('zsh reads its script', run('zsh', '-n', '-c', zsh).stderr)
    if run('sh', '-c', 'command -v groff').stdout:
        check('groff reads the manual', run('groff', '-man', '-Tutf8', '-ww', '-z', input=manual).stderr)
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith('MAKE') and k != 'MFLAGS'}
        done = run('make', '-C', ROOT, 'install', f'DESTDIR={folder}', 'PREFIX=/usr', env=environment)
        check('make install', done.stderr if done.returncode else '')
        for name in ('bin/ppl', 'share/man/man1/ppl.1', 'share/bash-completion/completions/ppl',
                     'share/zsh/site-functions/_ppl', 'share/vim/vimfiles/syntax/ppl.vim'):
            path = os.path.join(folder, 'usr', name)
            check(f'installed: {name}', '' if os.path.exists(path) and os.path.getsize(path) else 'is missing')
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
