#!/usr/bin/env python3
"""Every ```sh block of the README runs, one after the other, in a folder that looks like a fresh clone."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What a block must print, by a line that it contains.
WORDS = {
    "make demo": ["theta[8]", "ELBO"],
    "./ppl run coin.ppl": ["p "],
    "./ppl help Beta": ["Beta(", "infer(", "plate i in"],
    "./ppl run coin.ppl --data more.json": ["probability", "slope"],
    "head -n 3 draws.csv": ["mu,tau,theta.1"],
    "./ppl version": ["1.5", "observed", "ppl 0"],
}


def run_block(block, folder):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, capture_output=True, text=True,
                          timeout=600, check=False)
    if done.returncode:
        yield f"exit {done.returncode}: " + " | ".join(done.stderr.splitlines()[-4:])
    for line, words in WORDS.items():
        if line in block.splitlines():
            yield from (f"no '{w}' in what it prints" for w in words if w not in done.stdout)


def main():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        blocks = re.findall(r"^```sh\n(.*?)^```$", f.read(), re.M | re.S)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for entry in os.listdir(ROOT):
            if not entry.startswith("."):
                os.symlink(os.path.join(ROOT, entry), os.path.join(folder, entry))
        for block in blocks:
            problems = list(run_block(block, folder))
            failed += bool(problems)
            for problem in problems:
                print(f"FAIL README: {block.splitlines()[0]} ...: {problem}")
    lost = [line for line in WORDS if not any(line in block.splitlines() for block in blocks)]
    for line in lost:
        print(f"FAIL README: '{line}' is no longer there; the table of this test is stale")
    failed += len(lost)
    print(f"{max(len(blocks) - failed, 0)} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
