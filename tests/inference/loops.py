#!/usr/bin/env python3
"""Loops whose steps run at once: the same numbers as step by step, and memory that stays small.

A `for` over a list runs step by step, one over a range at once where the values are known before the steps run; so each
model is written both ways.
"""
import json, math, random, tempfile

from programs import check, finish, flat, measured, near, same

PAIRS = 40


def run(text, setting=None):
    """What the program writes into out.json (None: it failed), standard error, peak memory in bytes, which is that of this
    script (some 17 MB) at least: a process begins as a copy of the one that starts it."""
    with tempfile.TemporaryDirectory() as folder:
        out, errors, _, peak = measured(text, folder, setting)
    return out, errors, peak


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
    point = f"0.3 * ones({sum(len(flat([v])) for v in values.values())})" if "z[t]" in "".join(body) else "unconstrain(m, {" + record + "})"
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
            same(f"model {seed}: {key}", (a or {}).get(key), b[key], 1e-9)


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


# -- A loop computes from the step before --

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


# -- Numbers that steps carry: each model at once and step by step; the same bits walked and from a program, optimised or not --

PRIORS = "a ~ Gamma(2, 4);  b ~ Beta(2, 5);  c ~ Normal(0, 1);"
CARRIED = {
    "a variance": "s = 0.7;  for t in {steps} { s = sqrt(a + b * (y[t - 1] - c)^2 + 0.3 * s^2);  y[t] ~ Normal(c, s) }",
    "a variance, used before": "s = 0.7;  for t in {steps} { y[t] ~ Normal(c, s);  s = sqrt(a + b * (y[t] - c)^2 + 0.3 * s^2) }",
    "a negative root": "s = -1.5;  for t in {steps} { s = sqrt(a + 0.5 * s^2);  y[t] ~ Normal(c, s) };  factor(-s)",
    "a logarithm": "h = 1 + b;  for t in {steps} { h = exp(0.2 * c + b * log(h) + 0.1 * y[t - 1]);  y[t] ~ Normal(0, h) }",
    "a logarithm, used otherwise": "h = 1 + b;  for t in {steps} { h = exp(b * log(h) - 0.1 * h);  y[t] ~ Normal(0, h) }",
    "a logistic map": "x = b;  for t in {steps} { x = 3 * a / (1 + a) * x * (1 - x);  y[t] ~ Normal(x, 1) }",
    "three numbers": """r[1] := 0;  S = 0.9;  I = 0.1 * b;  R = 0
        for t in {steps} {
            infected = a * S * I;  healed = b * I
            S = S - infected;  I = I + infected - healed;  R = R + healed
            y[t] ~ Normal(tanh(I) + c * R, 1);  r[t] := S
        }""",
    "two steps back": "p = 0.1;  q = a;  for t in {steps} { f = p;  p = b * p + c * q;  q = f;  y[t] ~ Normal(p, 1) }",
    "data of the step before": "p = c;  q = 0;  for t in {steps} { y[t] ~ Normal(a * p + b * q, 1);  q = p;  p = y[t] }",
    "latents of the step before": "x[1] ~ Normal(0, 1);  p = c;  l = 0;  for t in {steps} { x[t] ~ Normal(p + b * l, 1);  l = x[t] - p;  p = a * x[t];  y[t] ~ Normal(x[t], 1) }",
    "latents of seven steps before": "x[1] ~ Normal(0, 1);  plate d in 1..2 { k[1, d] ~ LogNormal(a, b) };  " + "".join(f"p{k} = c;  " for k in range(1, 8)) +
        "for t in {steps} { x[t] ~ Normal(p1 + b * p7, 1);  plate d in 1..2 { k[t, d] ~ LogNormal(a, b);  e[t, d] ~ Normal(k[t, d], p2^2 + 1) };  " +
        "".join(f"p{k} = p{k - 1};  " for k in range(7, 1, -1)) + "p1 = a * x[t];  y[t] ~ Normal(x[t], 1) }",
    "a sum": "n = 0;  for t in {steps} { v = a + b * y[t - 1]^2;  n = n + v;  y[t] ~ Normal(0, v) };  factor(-n)",
    "a choice": "s = a;  for t in {steps} { if s > 1 { s = 0.5 * s } else { s = s + b };  y[t] ~ Normal(c, s) }",
    "in a plate": """plate d in 1..3 { k[d] ~ Normal(0, 1);  l = b
        for t in {steps} { l = tanh(k[d] + a * l + c * w[d, t - 1]);  w[d, t] ~ Normal(l, 1) } }""",
    "in a plate longer than the loop": "plate d in 1..30 { l = b;  for t in {steps} { l = l + a * y[t - 1] / d };  factor(-(l - c)^2) }",
    "a plate inside": "l = b;  for t in {steps} { l = tanh(a * l + c);  plate d in 1..3 { e[t, d] ~ Normal(l, 1) } }",
    "an array": "l = [a, b];  for t in {steps} { l = 0.5 * l + y[t - 1];  y[t] ~ Normal(sum(l), 1) }",
    "a name of before": "f = 3;  for t in {steps} { f = b * y[t - 1];  y[t] ~ Normal(f, 1) };  factor(f)",
    "none of a step": "f = 3;  s = a;  for t in {steps} { if t > 4 { s = 0.9 * s };  y[t] ~ Normal(b, s) };  factor(f)",
    "elements": "v[1] = b;  for t in {steps} { v[t] = 0.2 + a * y[t - 1]^2 + 0.5 * v[t - 1];  y[t] ~ Normal(c, sqrt(v[t])) };  factor(-sum(v))",
    "elements two steps back": """v[1] = b;  v[2] = a;  y[2] ~ Normal(0, 1)
        for t in {later} { v[t] = tanh(b * v[t - 1] + c * v[t - 2]) + a * y[t - 2];  y[t] ~ Normal(v[t] - v[t - 1], 1) }""",
    "elements of each other": """v[1] = b;  l[1] = y[1] - c;  n = 0
        for t in {steps} { v[t] := c + a * y[t - 1] + b * l[t - 1];  l[t] = y[t] - v[t];  n = n + v[t - 1];  y[t] ~ Normal(v[t], 1) }
        factor(tanh(n) * tanh(l[3]))""",
    "elements of numbers": "v[1] = 1.5;  for t in {steps} { v[t] = sqrt(0.3 + 0.5 * v[t - 1]^2);  y[t] ~ Normal(a, v[t]) };  factor(b * v[4])",
    "elements of data": "v[1] = 1;  for t in {steps} { v[t] = y[t - 1] * a;  y[t] ~ Normal(v[t] + v[t - 1], 1) };  factor(c * v[2])",
    "elements of some steps": "v[1] = a;  for t in {steps} { if t < 6 { v[t] = 0.5 * v[t - 1] } else { v[t] = v[t - 1] + 1 };  y[t] ~ Normal(c * v[t], 1) }",
    "rows": "v[1, 1] = a;  v[1, 2] = b;  for t in {steps} { v[t, 1] = 0.5 * v[t - 1, 1];  v[t, 2] = v[t - 1, 1];  y[t] ~ Normal(v[t, 2], 1) }",
    "a summed number": "z[1] ~ Bernoulli(b);  f = z[1];  for t in {steps} { z[t] ~ Bernoulli([0.2, 0.7][f + 1]);  y[t] ~ Normal(a * z[t] + c, 1);  f = z[t] }",
    "a summed number, first known": "z[1] ~ Bernoulli(b);  f = 0;  for t in {steps} { z[t] ~ Bernoulli([0.2, 0.7][f + 1]);  y[t] ~ Normal(a * z[t] + c, 1);  f = z[t] }",
    "a count": "n = 0;  for t in {steps} { n = n + 1;  y[t] ~ Normal(a * n, 1) };  factor(-n * b)",
}


def inverted():
    out, why, _ = run("""
model m { a ~ Normal(0, 1);  for t in 1..4 { x[t] ~ LogNormal(a, 1) };  w[1] ~ Normal(0, 1);  for t in 2..4 { w[t] ~ Normal(w[t - 1] + x[t], 1);  observe 0 ~ Normal(w[t], 1) } }
write("out.json", {u: unconstrain(m, {a: 0.3, x: exp([1, 2, 3, 4]), w: [5, 6, 7, 8]})})""")
    same("the point of given values", (out or {"u": why})["u"], [0.3, 1, 2, 3, 4, 5, 6, 7, 8])


# Of those, the ones that run step by step as well: what steps leave is no number, too much, or only in some of them.
STEP_BY_STEP = {"an array", "latents of seven steps before", "elements of some steps", "rows", "a summed number", "a summed number, first known"}


def carrying(name, T, loop, results):
    """One of CARRIED with T steps; `loop`: over "a range", or step by step over "a list". `results`: of the model m at the point u."""
    r, point = random.Random(5), random.Random(name)
    rows = [[r.gauss(0, 1) for _ in range(T)] for _ in range(4)]
    data = {"y": rows[0], "w": rows[1:], "e": [[r.gauss(0, 1) for _ in range(3)] for _ in range(T)]}
    u = [round(point.gauss(0, 0.5), 2) for _ in range(3 + {"in a plate": 3, "latents of the step before": T, "latents of seven steps before": 3 * T}.get(name, 0))]
    if len(u) > T + 3:
        u = [0.3] * len(u)  # in another order, step by step
    steps, later = (f"2..{T}", f"3..{T}") if loop == "a range" else ("steps", "later")
    body = CARRIED[name].replace("{steps}", steps).replace("{later}", later)
    return "\n".join(f"data {name} = {json.dumps(value)}" for name, value in data.items()) + f"""
steps = map(i -> i, 2..{T})
later = map(i -> i, 3..{T})
model m {{ {PRIORS} {body} }}
u = {json.dumps(u)}
write("out.json", {{{results}}})"""


def carried():
    at = "at: unconstrained_logpdf(m, u), gradient: sort(unconstrained_gradient(m, u))"
    for name in CARRIED:
        text = carrying(name, 20, "a range", at + ", elbo: infer(m, steps = 20).elbo")
        at_once, why, _ = run(text)
        for how in ("PPL_WALK=1", "PPL_OPTIMISE=0"):
            again, why_again, _ = run(text, how)
            check(f"{name}: the same bits with {how}", at_once and at_once == again, f"{at_once} and {again}; {why}{why_again}")
        steps, why, _ = run(carrying(name, 20, "a list", at))
        for key in ("at", "gradient"):
            same(f"{name}: {key}", (at_once or {}).get(key), (steps or {key: why})[key], 1e-9)


def at_once():
    """Which of them run at once: step by step 2000 steps take more than 30 MB."""
    for name in CARRIED:
        out, why, peak = run(carrying(name, 2000, "a range", "at: unconstrained_logpdf(m, u)"))
        check(f"{name}: at once, or not", out and (peak > 28e6) == (name in STEP_BY_STEP), f"{peak / 1e6:.1f} MB; {why}")


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


# Of 20,000 steps; step by step they take 300 and 800 MB.
WALK = """data y = draw(Normal(0, 1)[20000])
model m { x[1] ~ Normal(0, 1);  for t in 2..20000 { x[t] ~ Normal(x[t - 1], 1);  y[t] ~ Normal(x[t], 1) } }
write("out.json", {gradient: unconstrained_gradient(m, 0.1 * ones(20000))})"""
VARIANCE = """data y = draw(Normal(0, 1)[20000])
model m {
    a ~ HalfNormal(1);  b ~ Beta(2, 5);  s = 1
    for t in 2..20000 { s = sqrt(a + 0.3 * y[t - 1]^2 + b * s^2);  y[t] ~ Normal(0, s) }
}
write("out.json", {gradient: unconstrained_gradient(m, [0, 0])})"""


def memory():
    for name, text in ("walk", WALK), ("variance", VARIANCE):
        out, why, peak = run(text)
        check(f"a long {name}: memory", out and peak < 60e6, f"{peak / 1e6:.1f} MB, at most 60; {why}")
    for name, text in SMALL.items():
        out, why, peak = run(text + '\nwrite("out.json", {elbo: fit.elbo})')
        check(f"{name}: memory", out and peak < 20e6, f"{peak / 1e6:.1f} MB, at most 20; {why}")


if __name__ == "__main__":
    pairs()
    started_over()
    sequential()
    inverted()
    carried()
    at_once()
    memory()
    finish()
