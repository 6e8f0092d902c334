"""What the tests of this folder share: comparing texts with numbers in them, and saying how the tests went."""
import re

NUMBER = re.compile(r'(?<![\w.])-?(?:\d+\.?\d*(?:e[-+]?\d+)?)(?![\w.])')


def same_text(have, want, within=1e-6):
    """The same to the letter, but for numbers, which may differ by that part of theirs."""
    if have == want:
        return True
    if NUMBER.sub('#', have) != NUMBER.sub('#', want):
        return False
    pairs = zip(map(float, NUMBER.findall(have)), map(float, NUMBER.findall(want)))
    return all(abs(a - b) <= within * max(abs(a), abs(b)) for a, b in pairs)


def report(results):
    """Says of the (name, problem) which have one, and how many; the exit code."""
    failed = [(name, problem) for name, problem in results if problem]
    for name, problem in failed:
        print(f'FAIL {name}: {problem}')
    print(f'{len(results) - len(failed)} passed, {len(failed)} failed')
    return 1 if failed else 0
