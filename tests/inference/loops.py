#!/usr/bin/env python3
"""Loops whose steps run at once: the same numbers as step by step, and memory that stays small.

A `for` over a list runs step by step, one over a range at once where the values are known before the steps run; so each
model is written both ways.
"""
import json, math, os, random, subprocess, tempfile

import programs
from programs import PPL, check, near

PAIRS = 40


def run(text, seconds=60):
    """What the program writes into out.json (None: nothing), standard error, peak memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "p.ppl"), "w") as f:
            f.write(text)
        with tempfile.TemporaryFile() as errors:
            p = subprocess.Popen([PPL, "run", "--quiet", "p.ppl"], cwd=folder, stdout=subprocess.DEVNULL, stderr=errors)
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = status
            errors.seek(0)
            message = errors.read().decode(errors="replace")
        out = os.path.join(folder, "out.json")
        return json.load(open(out)) if os.path.exists(out) else None, message, usage.ru_maxrss * 1024


def same(name, a, b, relative=1e-9):
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for k, (x, y) in enumerate(zip(a, b)):
            same(f"{name}[{k + 1}]", x, y, relative)
        return
    ok = a == b or (isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a - b) <= relative * max(1, abs(b)))
    check(name, ok, f"{a} at once, {b} step by step")


# -- Random models: continuous latents with lags, chains of states, plates in the loop --

def random_model(seed):
    """The statements before the loop and in it; T; the values of the latents."""
    r = random.Random(seed)
    T, lag, k = r.choice([3, 4, 7]) + 2, r.choice([1, 1, 2]), r.choice([2, 3])
    states, plate, positive, twice = r.random() < 0.5, r.random() < 0.5, r.random() < 0.5, r.random() < 0.3
    first = lag + 1
    head, body, values = [], [], {"s": 0.7, "m": 0.3}
    for t in range(1, first):
        head.append(f"x[{t}] ~ Normal(m, 1)")
        if positive:
            head.append(f"v[{t}] ~ LogNormal(0, 0.5)")
        if plate:
            head.append(f"plate d in 1..2 {{ w[{t}, d] ~ Normal(x[{t}], 1) }}")
        if states:
            head.append(f"z[{t}] ~ Categorical(P[{t}])")
    mean = " + ".join(f"{0.5 / j} * x[t - {j}]" for j in range(1, lag + 1))
    if states:
        body.append("z[t] ~ Categorical(P[z[t - 1]])")
        mean += " + " + r.choice(["z[t]", "0.3 * z[t - 1]", "c[z[t]] * c[z[t - 1]]"])
    if positive:
        body.append("v[t] ~ LogNormal(0.5 * log(v[t - 1]) + 0.1 * x[t - 1], 0.4)")
    body.append(f"mean = {mean}" if twice else f"mean = m + {mean}")
    if states:
        body.append("y[t] ~ Normal(mean, 1)")
        body.append("x[t] ~ Normal(0.6 * x[t - 1] + m, s)")
    else:
        body.append("x[t] ~ Normal(mean, " + ("s * v[t]" if positive else "s") + ")")
        body.append("y[t] ~ StudentT(5, x[t] - 0.5 * x[t - 1], 1)")
    if plate:
        body.append("plate d in 1..2 { w[t, d] ~ Normal(x[t] + 0.5 * w[t - 1, d], 1); e[t, d] ~ Normal(w[t, d] * x[t - 1], 1) }")
    if r.random() < 0.3:
        body.append("factor(-0.1 * x[t] * x[t - 1])")
    if r.random() < 0.3:
        head += [f"r[{t}] := 0" for t in range(1, first)]
        body.append("r[t] := x[t] - x[t - 1]")
    values["x"] = [r.gauss(0, 1) for _ in range(T)]
    if positive:
        values["v"] = [math.exp(r.gauss(0, 0.5)) for _ in range(T)]
    if plate:
        values["w"] = [[r.gauss(0, 1), r.gauss(0, 1)] for _ in range(T)]
    data = {"y": [r.gauss(0, 1) for _ in range(T)], "c": [r.gauss(0, 1) for _ in range(k)],
            "P": [[1 / k + (0.2 if i == j else -0.2 / (k - 1)) for j in range(k)] for i in range(k)]}
    if plate:
        data["e"] = [[r.gauss(0, 1), r.gauss(0, 1)] for _ in range(T)]
    return head, body, T, first, values, data


def written(seed, over):
    head, body, T, first, values, data = random_model(seed)
    lines = [f"data {name} = {json.dumps(value)}" for name, value in data.items()]
    lines += [f"steps = map(i -> i, {first}..{T})", "model m {", "  s ~ LogNormal(0, 1)", "  m ~ Normal(0, 1)"]
    lines += ["  " + s for s in head] + [f"  for t in {over.format(first=first, T=T)} {{"] + ["    " + s for s in body] + ["  }", "}"]
    record = ", ".join(f"{name}: {json.dumps(value)}" for name, value in values.items())
    point = f"0.3 * ones({sum(len(programs.flat([v])) for v in values.values())})" if "z[t]" in "".join(body) else "unconstrain(m, {" + record + "})"
    return "\n".join(lines) + f"""
u = {point}
write("out.json", {{at: unconstrained_logpdf(m, u), gradient: sort(unconstrained_gradient(m, u))}})
"""


def pairs():
    for seed in range(PAIRS):
        a, why, _ = run(written(seed, "{first}..{T}"))
        b, why_b, _ = run(written(seed, "steps"))
        check(f"model {seed}", a and b, why + why_b)
        for key in b or {}:
            same(f"model {seed}: {key}", (a or {}).get(key), b[key])


# -- What is drawn when a body starts over element by element is no latent --

def started_over():
    exact = -0.5 * math.log(4 * math.pi) - 0.25 - 2 * math.log(10 * math.pi)
    for kind in ("plate", "for"):
        out, why, _ = run(f"""
model m {{
    {kind} t in 1..5 {{ x[t] ~ Normal(0, 1);  if t == 2 {{ observe 1 ~ Normal(x[t], 1) }} else {{ observe 0 ~ Normal(x[t], 2) }} }}
}}
fit = infer(m, steps = 2000)
write("out.json", {{elbo: fit.elbo}})""")
        near(f"a {kind} that starts over", (out or {"elbo": math.nan})["elbo"], exact, 1e-3)


# -- What a loop computes from the step before runs step by step --

def sequential():
    out, why, _ = run("""
data y = [0.3, -0.2, 1.1, 0.4, -0.9]
model garch {
    a ~ Gamma(2, 4)
    v[1] = 1
    total = 0
    for t in 2..5 {
        v[t] = 0.2 + a * y[t - 1]^2 + 0.5 * v[t - 1]
        total = total + v[t]
        y[t] ~ Normal(0, sqrt(v[t]))
    }
    factor(-total)
}
write("out.json", {at: unconstrained_logpdf(garch, [log(0.4)])})""")
    y, v, a, total = [0.3, -0.2, 1.1, 0.4, -0.9], 1, 0.4, 0
    want = math.log(16 * a) - 4 * a + math.log(a)
    for t in range(1, 5):
        v = 0.2 + a * y[t - 1] ** 2 + 0.5 * v
        total += v
        want += -0.5 * math.log(2 * math.pi * v) - y[t] ** 2 / (2 * v)
    near("garch", (out or {"at": math.nan})["at"], want - total, 1e-9)


# -- Memory --

SMALL = {
    "eight schools": """data y = [28, 8, -3, 7, -1, 1, 18, 12]
data sigma = [15, 10, 16, 11, 9, 11, 10, 18]
model m {
    mu ~ Normal(0, 5)
    tau ~ HalfCauchy(5)
    plate j in 1..8 { theta[j] ~ Normal(mu, tau);  y[j] ~ Normal(theta[j], sigma[j]) }
}
fit = infer(m)""",
    "mixture": """data y = draw(Normal(0, 2)[200])
model m {
    w ~ Dirichlet([1, 1, 1])
    plate k in 1..3 { mu[k] ~ Normal(0, 3) }
    plate n in 1..200 { z[n] ~ Categorical(w);  y[n] ~ Normal(mu[z[n]], 1) }
}
fit = infer(m, steps = 200)""",
    "coin": """data flips = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
model m { fairness ~ Beta(10, 10);  plate n in 1..10 { flips[n] ~ Bernoulli(fairness) } }
guide q for m { param a: positive = 10;  param b: positive = 10;  fairness ~ Beta(a, b) }
fit = infer(m, q, steps = 2000)""",
    "walk": """data y = draw(Normal(0, 1)[200])
model m {
    s ~ LogNormal(0, 1)
    x[1] ~ Normal(0, 1)
    for t in 2..200 { x[t] ~ Normal(x[t - 1], s) }
    plate t in 1..200 { y[t] ~ Normal(x[t], 1) }
}
fit = infer(m, steps = 100)""",
}


def memory():
    for name, text in SMALL.items():
        out, why, peak = run(text + '\nwrite("out.json", {elbo: fit.elbo})')
        check(f"{name}: memory", out and peak < 20e6, f"{peak / 1e6:.1f} MB, at most 20; {why}")


if __name__ == "__main__":
    pairs()
    started_over()
    sequential()
    memory()
    programs.finish()
