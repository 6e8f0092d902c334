#!/usr/bin/env python3
"""Wrong programs, wrong data and wrong command lines end with the right exit code and say what is wrong.

A program of this folder (most are in catalogue/) says in its comments how it must end: `# expect exit CODE` and `# expect WORD ...`, words that
standard error must contain; under the sanitizers too ($PPL_ASAN, if it is built).
The acceptance programs run too, where ../shared/acceptance is present; those that take minutes only with PPL_SLOW=1.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get("PPL", os.path.join(ROOT, "ppl"))
ASAN = os.environ.get("PPL_ASAN", os.path.join(ROOT, "build/asan/ppl"))
ACCEPTANCE = os.path.join(os.path.dirname(ROOT), "shared", "acceptance")

MODEL = """data y: real[N]
model m {
    mu ~ Normal(0, 1)
    plate n in 1..N { y[n] ~ Normal(mu, 1) }
}
fit = infer(m, steps = 200)
"""
FILES = {
    "m.ppl": MODEL,
    "y.json": '{"y": [1, 2, 3]}', "y.csv": "y,z\n1,2\n3,4\n", "other.json": '{"x": [1]}', "near.json": '{"Y": [1, 2]}',
    "broken.json": '{"y": [1, 2', "words.csv": "y\none\ntwo\n", "scalar.json": '{"y": 1}',
    "hello.ppl": 'print("hello", 1 + 1)\n', "empty.ppl": "", "long.ppl": "x = 1 + " + "1 + " * 5_000_000 + "1\n",
    "binary.ppl": "print(1)\0\n", "deep.ppl": "x = " + "(" * 100_000 + "1" + ")" * 100_000 + "\n",
    "forever.ppl": 'print("begun")\ni = 0\nwhile true { i = i + 1 }\n',
    "slow.ppl": MODEL.replace("steps = 200", "steps = 1000000000"),
    "poor.ppl": "data y = [0.0]\nmodel m {\n    a ~ Normal(0, 1)\n    b ~ Normal(0, 1)\n"
                "    y ~ Normal(a * b, 0.001)\n}\nfit = infer(m, guide = auto_normal(), steps = 2000)\n",
    "mixed.ppl": "data y = [0.0, 1.0, 2.0]\nmodel m {\n    plate n in 1..3 { z[n] ~ Bernoulli(0.5); y[n] ~ Normal(z[n], 1) }\n}\n"
                 "model p { k ~ Poisson(2); observe 1.0 ~ Normal(k, 1) }\n"
                 "guide q for p { param r: positive = 1; k ~ Poisson(r) }\n"
                 "model c { for t in 1..3 { plate i in 1..2 { s[i, t] ~ Bernoulli(0.3); observe 1.0 ~ Normal(s[i, t], 1) } } }\n"
                 "infer(m)\nprint(\"never\")\n",
    "part.ppl": "fn twice(x) = 2 * x\n", "whole.ppl": 'import "part.ppl"\nprint(twice(21))\n',
    "round.ppl": 'import "round.ppl"\nprint(1)\n',
}

# arguments, exit code, words on standard error, words on standard output
COMMANDS = [
    ("run m.ppl --data y.json", 0, [], ["m: svi", "mu ", "ELBO"]),
    ("run m.ppl --data y.csv", 0, [], ["mu "]),
    ("run m.ppl --data y=y.csv --data y.json --quiet", 0, [], ["mu "]),
    ("m.ppl --data y.json", 0, [], ["mu "]),
    ("run hello.ppl", 0, [], ["hello 2"]),
    ("run hello.ppl --json", 0, [], ['{"print": "hello 2"}']),
    ("run empty.ppl", 0, [], []),
    ("run whole.ppl", 0, [], ["42"]),
    ("run round.ppl", 1, ["round.ppl:1"], []),
    ("run m.ppl", 1, ["y", "--data"], []),
    ("run m.ppl --data nowhere.json", 1, ["nowhere.json", "No such file"], []),
    ("run m.ppl --data broken.json", 1, ["broken.json"], []),
    ("run m.ppl --data words.csv", 1, ["words.csv", "one"], []),
    ("run m.ppl --data scalar.json", 1, ["y", "m.ppl:1"], []),
    ("run m.ppl --data other.json", 1, ["warning", "other.json", "x"], []),
    ("run m.ppl --data near.json", 1, ["warning", "did you mean y"], []),
    ("run hello.ppl --data y=y.json", 0, ["warning", "declares no data y"], ["hello"]),
    ("run m.ppl --data .", 1, ["directory"], []),
    ("run nowhere.ppl", 1, ["nowhere.ppl", "No such file"], []),
    ("run .", 1, ["directory"], []),
    ("run long.ppl", 1, ["16 MB"], []),
    ("run binary.ppl", 1, ["not text"], []),
    ("run deep.ppl", 1, ["deep.ppl:1"], []),
    ("run poor.ppl --strict", 3, ["--strict"], ["m: svi"]),
    ("run poor.ppl", 0, [], ["m: svi"]),
    ("run m.ppl --data y.json --out draws.csv", 0, [], ["mu "]),
    ("run m.ppl --data y.json --out nowhere/draws.csv", 1, ["nowhere/draws.csv"], []),
    ("check m.ppl", 0, [], ["no mistakes"]),
    ("check mixed.ppl --sites", 0, [], ["z[n] summed out: 2 values x 3", "k drawn by the guide", "s[i, 1..3] summed out: 2 values x 6"]),
    ("check m.ppl --sites", 0, [], ["latent", "mu ~ Normal(0, 1)", "observed", "plate n in 1..N"]),
    ("check nowhere.ppl", 1, ["nowhere.ppl"], []),
    ("", 0, [], ["ppl run"]),
    ("--version", 0, [], ["ppl "]),
    ("help", 0, [], ["exit codes", "--data"]),
    ("help run", 0, [], ["--seed"]),
    ("help plate", 0, [], ["plate i in 1..N"]),
    ("help Normal", 0, [], ["loc", "scale", "positive"]),
    ("help softplus", 0, [], ["softplus"]),
    ("help infer", 0, [], ["infer("]),
    ("help adam", 0, [], ["lr"]),
    ("help distributions", 0, [], ["Normal", "Gamma"]),
    ("help functions", 0, [], ["infer", "softplus"]),
    ("help Nrmal", 2, ["Normal"], []),
    ("frobnicate", 2, ["no command", "frobnicate"], []),
    ("rnu m.ppl", 2, ["did you mean 'run'"], []),
    ("run", 2, ["needs a file"], []),
    ("run m.ppl --sede 3", 2, ["--seed"], []),
    ("run m.ppl --seed x", 2, ["whole number", "'x'"], []),
    ("run m.ppl --out draws.xls", 2, [".csv"], []),
    ("run m.ppl --profile=1", 2, ["takes no value"], []),
    ("run m.ppl --data y.json --profile", 0, ["recorded operations", "backward", "m.ppl:"], ["mu"]),
    ("run m.ppl --precision half", 2, ["double"], []),
]


def run(arguments, cwd, program=PPL):
    environment = dict(os.environ, NO_COLOR="1")
    try:
        return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, timeout=120, env=environment,
                              stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, None, b"", b"no end in 120 s")


def problems_of(done, code, words, out_words=()):
    errors, output = done.stderr.decode(errors="replace"), done.stdout.decode(errors="replace")
    if done.returncode != code:
        yield f"exit {done.returncode}, {code} expected: " + " | ".join(errors.splitlines()[:5])
    lost = [w for w in words if w not in errors]
    if lost:
        yield f"standard error does not say {lost}: " + " | ".join(errors.splitlines()[:5])
    lost = [w for w in out_words if w not in output]
    if lost:
        yield f"standard output does not say {lost}: " + " | ".join(output.splitlines()[:5])
    if "Sanitizer" in errors or "runtime error:" in errors:
        yield "the sanitizer complains: " + " | ".join(errors.splitlines()[:8])


def check_program(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    code = int(re.search(r"^# expect exit (\d+)", text, re.M).group(1))
    words = [w for line in re.findall(r"^# expect (?!exit)(.*)", text, re.M) for w in line.split()]
    done = run(["run", os.path.basename(path)], HERE)
    yield from problems_of(done, code, words)
    if os.path.exists(ASAN):
        twin = run(["run", os.path.basename(path)], HERE, ASAN)
        yield from (f"sanitized: {p}" for p in problems_of(twin, code, words))


def check_interrupt(folder, arguments, begun, reached):
    """Interrupted once: ends soon with 130 and shows what was reached."""
    p = subprocess.Popen([PPL, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(begun)
    if p.poll() is not None:
        return [f"ended by itself with {p.returncode}: " + p.stderr.read().decode()[:300]]
    p.send_signal(signal.SIGINT)
    try:
        output, errors = p.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        return ["does not end when interrupted"]
    return list(problems_of(subprocess.CompletedProcess(arguments, p.returncode, output, errors), 130, [], reached))


def wait_for(seen, seconds=20):
    """Whether it comes to be true."""
    end = time.time() + seconds
    while not seen() and time.time() < end:
        time.sleep(0.02)
    return seen()


def check_second_interrupt(folder):
    """A step without end: the first interrupt waits for it and (on a terminal) says so, the second ends, and what was printed
    before is there."""
    import pty, select
    with open(os.path.join(folder, "endless.ppl"), "w") as f:
        f.write('print("begun")\nwrite("begun.json", 1)\n'
                'model m { mu ~ Normal(0, 1); while mu < inf { }; observe 1 ~ Normal(mu, 1) }\ninfer(m)\n')
    master, slave = pty.openpty()
    said = bytearray()

    def says(words):
        if select.select([master], [], [], 0)[0]:
            said.extend(os.read(master, 4000))
        return words in said
    p = subprocess.Popen([PPL, "run", "endless.ppl"], cwd=folder, stdout=subprocess.PIPE, stderr=slave)
    try:
        if not wait_for(lambda: os.path.exists(os.path.join(folder, "begun.json"))):
            return ["has not begun"]
        time.sleep(0.3)  # from there to the step
        p.send_signal(signal.SIGINT)
        if not wait_for(lambda: says(b"once more ends at once") or p.poll() is not None) or p.poll() is not None:
            return [f"after the first interrupt {p.poll()}, said {bytes(said)}"]
        p.send_signal(signal.SIGINT)
        output = p.communicate(timeout=20)[0]
        return [] if p.returncode == 130 and output == b"begun\n" else [f"exit {p.returncode}, printed {output}"]
    except subprocess.TimeoutExpired:
        return ["does not end when interrupted again"]
    finally:
        p.kill()
        p.communicate()
        os.close(slave)
        os.close(master)


def check_colors(folder):
    """No colour where standard error is no terminal; on one, yes, but not with NO_COLOR."""
    import pty
    for no_color, wanted in (("", True), ("1", False)):
        master, slave = pty.openpty()
        subprocess.run([PPL, "run", "nowhere.ppl"], cwd=folder, stderr=slave, check=False,
                       env=dict(os.environ, NO_COLOR=no_color, TERM="xterm"))
        os.close(slave)
        text = os.read(master, 4000)
        os.close(master)
        if (b"\x1b[" in text) != wanted:
            yield f"NO_COLOR={no_color!r}: {text!r}"
    if b"\x1b" in run(["run", "nowhere.ppl"], folder).stderr:
        yield "colour without a terminal"


def check_draws(folder):
    if run(["run", "m.ppl", "--data", "y.json", "--out", "d.csv"], folder).returncode == 0:
        with open(os.path.join(folder, "d.csv"), encoding="utf-8") as f:
            lines = f.read().splitlines()
        if lines[0] != "mu" or len(lines) != 4001 or not all(abs(float(x)) < 20 for x in lines[1:]):
            yield f"d.csv has {len(lines)} lines, the first is {lines[0]!r}"
    else:
        yield "no run"


def check_repeats(folder):
    """The same seed gives the same numbers, another seed others."""
    runs = []
    for seed, threads in (("3", "1"), ("3", "2"), ("4", "1")):
        done = run(["run", "m.ppl", "--data", "y.json", "--json", "--seed", seed, "--threads", threads], folder)
        runs.append(json.loads(done.stdout or b"{}").get("fit"))
    if any(r is None for r in runs):
        return ["no fit"]
    if runs[0]["variables"] != runs[1]["variables"]:
        return ["the same seed gives different numbers"]
    return ["another seed gives the same numbers"] if runs[0]["variables"] == runs[2]["variables"] else []


def check_acceptance():
    """Names and problems of the acceptance programs, one by one."""
    if not os.path.exists(os.path.join(ACCEPTANCE, "run")):
        print("skip the acceptance programs: ../shared/acceptance is not there")
        return
    with open(os.path.join(ACCEPTANCE, "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    names = list(expected) + sorted("errors/" + f for f in os.listdir(os.path.join(ACCEPTANCE, "errors")))
    for name in names:
        if expected.get(name, {}).get("seconds", 0) > 120 and not os.environ.get("PPL_SLOW"):
            print(f"skip acceptance/{name}: it takes minutes; PPL_SLOW=1 runs it")
            continue
        done = subprocess.run([os.path.join(ACCEPTANCE, "run"), "--ppl", PPL, name], capture_output=True, text=True,
                              check=False)
        problems = [line.strip() for line in done.stdout.splitlines()[1:-1]] if done.returncode else []
        yield "acceptance/" + name, problems or (["failed"] if done.returncode else [])


def all_tests(folder):
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".ppl"):
            yield name, list(check_program(os.path.join(HERE, name)))
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    for line, code, words, out_words in COMMANDS:
        done = run(line.split(), folder)
        yield f"ppl {line}", list(problems_of(done, code, words, out_words))
    yield "draws in a file", list(check_draws(folder))
    yield "the seed decides", check_repeats(folder)
    yield "colours", list(check_colors(folder))
    yield "a loop is interrupted", check_interrupt(folder, ["run", "forever.ppl"], 1, [])
    yield "a second interrupt", check_second_interrupt(folder)
    yield "a fit is interrupted", check_interrupt(folder, ["run", "slow.ppl", "--data", "y.json"], 2,
                                                  ["mu ", "interrupted"])
    yield from check_acceptance()


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, problems in all_tests(folder):
            passed, failed = passed + (not problems), failed + bool(problems)
            if problems:
                print("FAIL " + name)
            for problem in problems:
                print("     " + problem)
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
