#!/usr/bin/env python3
"""Discrete latents summed out: against full enumeration, known answers, and in cost.

discrete.py [FIRST [LAST]]: only the random models of these seeds; their programs are kept in the working directory.
"""
import cmath
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from discrete_models import Model
from programs import PPL, check, finish, measured, same

MODELS = 200
MEMORY = 250e6  # bytes, of a chain of 100,000 steps


def answer(name, text):
    with tempfile.TemporaryDirectory() as folder:
        out, errors, _, _ = measured(text, folder)
    check(name, out is not None, errors)
    return out or {}


def normal(x, loc, scale):
    """The density."""
    return math.exp(-0.5 * ((x - loc) / scale) ** 2) / scale / math.sqrt(2 * math.pi)


# -- Against full enumeration --

def at(nested, index):
    for k in index:
        nested = nested[k - 1]
    return nested


def differences(model, out):
    """(what, how far) for everything that can be compared."""
    evidence, gradient, marginals, top, log_joint = model.brute_force()

    def far(a, b):
        return abs(a - b) / max(1, abs(a), abs(b)) if isinstance(a, (int, float)) else math.inf
    yield "log evidence", far(out["evidence"], evidence)
    prior = sum(-0.5 * t * t - 0.5 * math.log(2 * math.pi) for t in model.theta)
    yield "log joint", far(out["joint"], evidence + prior)
    for k, (g, t) in enumerate(zip(gradient, model.theta)):
        yield f"gradient by theta[{k + 1}]", far(out["gradient"][k], g - t)
    best = {}
    for g in model.groups:
        best[g.name] = {}
        for i in g.elements():
            if g.data and g.data[i[0] - 1] is not None:
                check(f"{model.seed}: the known element {g.name}{list(i)}", at(out["best_" + g.name], i) == g.data[i[0] - 1], out)
            p = at(out[g.name], i)
            for k in range(g.k):
                yield f"{g.name}{list(i)} = {g.first + k}", far(p[k], marginals[g.name][i][k]) if len(p) == g.k else math.inf
            best[g.name][i] = at(out["best_" + g.name], i)
    yield "best assignment", far(log_joint(best), top)


def random_model(seed, folder):
    model = Model(seed)
    out, errors, _, _ = measured(model.program("out.json", True), folder)
    if out is None:
        return model, errors
    wrong = [(what, d) for what, d in differences(model, out) if not d <= 1e-10]
    return model, ", ".join(f"{what} is off by {d:.2g}" for what, d in wrong[:4])


def random_models(seeds, keep=None):
    def one(seed):
        if not keep:
            with tempfile.TemporaryDirectory() as folder:
                return random_model(seed, folder)
        folder = os.path.join(keep, f"model{seed}")
        os.makedirs(folder, exist_ok=True)
        return random_model(seed, folder)
    features = set()
    with ThreadPoolExecutor(2) as pool:
        for seed, (model, problem) in zip(seeds, pool.map(one, seeds)):
            check(f"random model {seed}", not problem, problem)
            features |= model.features
    return features


FEATURES = ["plate", "nested plate", "chain of order 1", "chain of order 2", "chain of order 1 in a plate", "factorial chain",
            "Binomial", "bounded", "Bernoulli chosen", "Categorical chosen", "Categorical table", "Bernoulli if", "matrix", "index",
            "gather", "element", "sum", "missing", "nested model", "fn", "net", "if", "where", "observed if", "observed chosen",
            "observed factor", "latent if"]


# -- Known answers (Goodfellow, Bengio, Courville 2016, chapter 19; the numbers by enumeration and quadrature) --

SPARSE = """
data v = [1, .6, .2]
W = [[1, .9, 0], [0, .5, 1], [.5, 0, -.5]]
bias = [-1, -.5, 0]
beta = [2, 1, 4]
model coding {
    plate i in 1..3 { h[i] ~ Bernoulli(logits = bias[i]) }
    plate j in 1..3 { v[j] ~ Normal(W[j, 1] * h[1] + W[j, 2] * h[2] + W[j, 3] * h[3], 1 / sqrt(beta[j])) }
}
"""


def sparse_joint():
    """{h: joint density} of the eight codes."""
    v, bias, beta = (1, .6, .2), (-1, -.5, 0), (2, 1, 4)
    w = ((1, .9, 0), (0, .5, 1), (.5, 0, -.5))
    out = {}
    for h in itertools.product((0, 1), repeat=3):
        lp = sum(-math.log1p(math.exp(-b if x else b)) for x, b in zip(h, bias))
        for j in range(3):
            mean = sum(w[j][i] * h[i] for i in range(3))
            lp += 0.5 * math.log(beta[j] / (2 * math.pi)) - 0.5 * beta[j] * (v[j] - mean) ** 2
        out[h] = math.exp(lp)
    return out


def sparse_coding():
    """Row 6: evidence, marginals and the most probable code; rows 1 and 12: the ELBO of the exact posterior is the
    evidence whatever is drawn, that of another guide is below."""
    out = answer("sparse coding", SPARSE + """
fit = infer(coding)
write("out.json", {evidence: fit.log_evidence, h: fit.h, best: decode(fit).h})""")
    same("sparse coding: evidence", out.get("evidence"), -2.5950437926, 4e-11)
    same("sparse coding: marginals", [p[1] for p in out.get("h", [])], [.3907263638, .4628403073, .3571229599], 1e-10)
    check("sparse coding: best", out.get("best") == [0, 1, 0], out.get("best"))
    p = sparse_joint()
    total = sum(p.values())

    def given(*first):
        """P(the next is 1 | the first ones)."""
        both = sum(p[h] for h in p if h[:len(first)] == first)
        return sum(p[h] for h in p if h[:len(first)] == first and h[len(first)] == 1) / both
    tables = f"p1 = {given()!r}\np2 = {[given(a) for a in (0, 1)]!r}\np3 = {[[given(a, b) for b in (0, 1)] for a in (0, 1)]!r}"
    out = answer("exact posterior as guide", SPARSE.replace("plate i in 1..3 { h[i] ~ Bernoulli(logits = bias[i]) }",
                                                        "for i in 1..3 { h[i] ~ Bernoulli(logits = bias[i]) }") + tables + """
guide exact for coding {
    h[1] ~ Bernoulli(p1)
    h[2] ~ Bernoulli(p2[h[1] + 1])
    h[3] ~ Bernoulli(p3[h[1] + 1, h[2] + 1])
}
guide flat for coding { for i in 1..3 { h[i] ~ Bernoulli(0.5) } }
guide chain for coding {
    param a = 0
    param b: real[2] = [0, 0]
    param c: real[2, 2] = [[0, 0], [0, 0]]
    h[1] ~ Bernoulli(logits = a)
    h[2] ~ Bernoulli(logits = b[h[1] + 1])
    h[3] ~ Bernoulli(logits = c[h[1] + 1, h[2] + 1])
}
f = infer(coding, exact, steps = 1)
g = infer(coding, flat, steps = 1)
learned = infer(coding, chain, steps = 6000, optimizer = adam(0.02))
one = []
for s in 1..20 { one[s] = elbo(f, coding, exact) }
write("out.json", {exact: one, flat: elbo(g, coding, flat, samples = 200000), chain: learned.elbo})""")
    same("row 1: ELBO of the posterior", out.get("exact"), [math.log(total)] * 20, 1e-12)
    same("row 1: ELBO of the flat guide", out.get("flat"), -2.8206391394, 0.01)
    same("row 12: fully connected guide", out.get("chain"), math.log(total), 0.002)


def em():
    """Row 2: EM of a mixture of two Gaussians, its first steps."""
    out = answer("EM", """
data x = [-2, -1, .5, 3, 4]
model mixture(w, mu, v) {
    plate n in 1..5 { z[n] ~ Categorical(w);  x[n] ~ Normal(mu[z[n]], sqrt(v[z[n]])) }
}
w = [.5, .5]
mu = [-1, 1]
v = [1, 1]
ll = []
ws = []
mus = []
vs = []
for s in 1..12 {
    fit = infer(mixture(w, mu, v))
    ll[s] = fit.log_evidence
    r = fit.z
    n = sum(r, dim = 1)
    w = n / 5
    mu = (t(r) @ x) / n
    v = (t(r) @ x^2) / n - mu^2
    ws[s] = w
    mus[s] = mu
    vs[s] = v
}
write("out.json", {ll: ll, w: ws, mu: mus, v: vs})""")
    if not out:
        return
    same("EM: log likelihoods", out["ll"][:3], [-14.7242778509, -10.3484225060, -10.3313388329], 1e-11)
    same("EM: weights", out["w"][0], [.4269120525, .5730879475], 1e-10)
    same("EM: means", out["mu"][:2], [[-1.2656446035, 2.5132598615], [-1.2780088340, 2.5741924612]], 1e-10)
    same("EM: variances", out["v"][0], [.6954350765, 2.5290409218], 1e-10)
    check("EM: never worse", all(b >= a for a, b in zip(out["ll"], out["ll"][1:])), out["ll"])


def coin():
    """Row 45: Beta(10, 10), 6 heads in 10: the posterior is Beta(16, 14)."""
    out = answer("coin", """
data heads = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
model coin { p ~ Beta(10, 10);  plate i in 1..10 { heads[i] ~ Bernoulli(p) } }
guide q for coin { param a: positive = 15;  param b: positive = 15;  p ~ Beta(a, b) }
guide exact for coin { p ~ Beta(16, 14) }
fit = infer(coin, q, steps = 4000, optimizer = adam(0.02))
right = infer(coin, exact, steps = 1)
write("out.json", {elbo: fit.elbo, mean: mean(fit.p), exact: elbo(right, coin, exact)})""")
    same("row 45: ELBO of the posterior", out.get("exact"), -7.0693745032, 1e-10)
    same("row 45: learned", out.get("elbo"), -7.0693745032, 0.001)
    same("row 45: mean", out.get("mean"), 16 / 30, 0.01)


def geometric():
    """Row 47: a random number of variables, and a guide of the same recursion. P(stop at n | reached n, x) by enumeration."""
    p, x = 0.4, 3.0
    joint = [p * (1 - p) ** n * math.exp(-0.5 * (x - n) ** 2) / math.sqrt(2 * math.pi) for n in range(200)]
    tails = [math.fsum(joint[n:]) for n in range(200)]
    stops = [joint[n] / tails[n] for n in range(30)]
    out = answer("geometric", f"""
data x = {x}
stops = {stops!r}
model tail(n) {{
    stop ~ Bernoulli({p})
    if stop {{ return n }}
    rest ~ tail(n + 1)
    return rest
}}
model m {{ k ~ tail(0);  x ~ Normal(k, 1) }}
model tail_guide(n) {{
    stop ~ Bernoulli(stops[min(n + 1, 30)])
    if stop {{ return n }}
    rest ~ tail_guide(n + 1)
    return rest
}}
guide q for m {{ k ~ tail_guide(0) }}
fit = infer(m, q, steps = 1)
model alone {{ k ~ tail(0);  count := k }}
many = []
for s in 1..20 {{ many[s] = elbo(fit, m, q) }}
counts = map(s -> simulate(alone).count, 1..20000)
write("out.json", {{elbo: many, mean: mean(counts), evidence: infer(m, method = importance(100000)).log_evidence}})""")
    same("row 47: ELBO of the posterior", out.get("elbo"), [math.log(tails[0])] * 20, 1e-9)
    same("row 47: mean", out.get("mean"), (1 - p) / p, 0.05)
    same("row 47: evidence by drawing", out.get("evidence"), math.log(tails[0]), 0.02)


def semi_supervised():
    """Row 48: classes of which some are known; the evidence is that of the marginal, and so is its gradient."""
    xs, ys = [-1.0, 0.3, 2.2, 1.1, -0.4, 3.0], [None, 0, 1, None, None, None]
    a, b, p = 1.7, -0.4, 0.35
    body = """plate i in 1..6 {
        y[i] ~ Bernoulli(0.35)
        x[i] ~ Normal(b + a * y[i], sqrt(2))
    }"""
    out = answer("semi-supervised", f"""
data x = {xs!r}
data y = [missing, 0, 1, missing, missing, missing]
model m(a, b) {{ {body} }}
model free {{ a ~ Normal(0, 1)
    b ~ Normal(0, 1)
    {body} }}
fit = infer(m({a}, {b}))
write("out.json", {{evidence: fit.log_evidence, y: fit.y, gradient: unconstrained_gradient(free, [{a}, {b}])}})""")

    def density(x, y):
        return math.exp(-0.25 * (x - b - a * y) ** 2) / math.sqrt(4 * math.pi) * (p if y else 1 - p)
    total, by_a, by_b, ones = 0.0, -a, -b, []
    for x, y in zip(xs, ys):
        values = (0, 1) if y is None else (y,)
        z = sum(density(x, k) for k in values)
        total += math.log(z)
        by_b += sum(density(x, k) * (x - b - a * k) / 2 for k in values) / z
        by_a += sum(density(x, k) * k * (x - b - a * k) / 2 for k in values) / z
        ones.append(density(x, 1) / z if y is None else y)
    same("row 48: evidence", out.get("evidence"), total, 1e-12)
    same("row 48: gradient", out.get("gradient"), [by_a, by_b], 1e-12)
    for i, want in enumerate(ones):
        if out:
            same(f"row 48: class of {i + 1}", out["y"][i][1], want, 1e-12)


def impossible_values():
    """Occupancy, counts of a hidden number, capture and recapture: for some values the density of the data is 0. Evidence,
    gradients (of the enumerated sum, by complex steps) and probabilities."""
    sites, captures, most = [[0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]], [[1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], 5
    counts, rates = [2, 0, 3], [0, 4, 1]
    at_ = [0.3, -0.4, 0.9]
    out = answer("impossible values", f"""
data y = {sites!r}
data seen = {captures!r}
data n = {counts!r}
data k = {rates!r}
model m {{
    u ~ Normal(0, 1)[3]
    a = sigmoid(u[1])
    p = sigmoid(u[2])
    r = exp(u[3])
    plate i in 1..4 {{
        z[i] ~ Bernoulli(a)
        plate j in 1..3 {{ y[i, j] ~ Bernoulli(p * z[i]) }}
    }}
    plate b in 1..3 {{
        alive[b, 1] ~ Bernoulli(1)
        for t in 2..4 {{
            alive[b, t] ~ Bernoulli(a * alive[b, t - 1])
            seen[b, t] ~ Bernoulli(p * alive[b, t])
        }}
    }}
    plate s in 1..3 {{
        N[s] ~ DiscreteUniform(0, {most})
        n[s] ~ Binomial(N[s], p)
        w[s] ~ Bernoulli(a)
        k[s] ~ Poisson(r * w[s])
    }}
}}
fit = infer(m, steps = 20)
write("out.json", {{joint: unconstrained_logpdf(m, {at_!r}), gradient: unconstrained_gradient(m, {at_!r}), z: fit.z, w: fit.w}})""")

    def density(u):
        a, p, r = 1 / (1 + cmath.exp(-u[0])), 1 / (1 + cmath.exp(-u[1])), cmath.exp(u[2])

        def coin(q, x):
            return q if x else 1 - q
        lp = sum(-0.5 * x * x - 0.5 * math.log(2 * math.pi) for x in u)
        for row in sites:
            lp += cmath.log(sum(coin(a, z) * math.prod(coin(p * z, y) for y in row) for z in (0, 1)))
        for row in captures:
            total = 0
            for later in itertools.product((0, 1), repeat=3):
                path, term = (1, *later), 1
                for t in (1, 2, 3):
                    term *= coin(a * path[t - 1], path[t]) * coin(p * path[t], row[t])
                total += term
            lp += cmath.log(total)
        for x, c in zip(counts, rates):
            lp += cmath.log(sum(math.comb(big, x) * p ** x * (1 - p) ** (big - x) for big in range(x, most + 1)) / (most + 1))
            lp += cmath.log(a * r ** c * cmath.exp(-r) / math.factorial(c) + (1 - a) * (c == 0))
        return lp
    same("impossible values: density", out.get("joint"), density(at_).real, 1e-12)
    steps = [density([complex(x, 1e-30 * (j == k)) for j, x in enumerate(at_)]).imag * 1e30 for k in range(3)]
    same("impossible values: gradient", out.get("gradient"), steps, 1e-12)
    for name, k in (("z", 0), ("z", 2), ("w", 1), ("w", 2)):
        same(f"impossible values: {name}[{k + 1}]", out.get(name, [[], [], []])[k], [0, 1], 1e-12)


def support_depends():
    """The values of a variable depend on another one."""
    out = answer("support that depends", """
data y = 1.5
model m { n ~ Categorical([0.2, 0.3, 0.5]);  k ~ Binomial(n, 0.5);  y ~ Normal(k, 1) }
fit = infer(m)
best = decode(fit)
write("out.json", {evidence: fit.log_evidence, k: fit.k, n: best.n, best: best.k})""")
    joint = {(n, k): p * math.comb(n, k) * 0.5 ** n * math.exp(-0.5 * (1.5 - k) ** 2) / math.sqrt(2 * math.pi)
             for n, p in ((1, .2), (2, .3), (3, .5)) for k in range(n + 1)}
    total = sum(joint.values())
    same("support that depends: evidence", out.get("evidence"), math.log(total), 1e-12)
    same("support that depends: values", out.get("k"), [sum(p for (_, j), p in joint.items() if j == k) / total for k in range(4)], 1e-12)
    check("support that depends: best", (out.get("n"), out.get("best")) == max(joint, key=joint.get), out)


def decode_over_draws():
    """The best value differs between the draws of the rest: z is 1 where x > 0.3, which has probability 0.74, though the
    joint density is highest at x = 0. And a path of states given draws of the means agrees with the one at their values."""
    out = answer("decode over draws", """
model m { x ~ Exponential(1);  z ~ Bernoulli(logits = 8 * (x - 0.3));  observe 0 ~ Normal(0, 1) }
write("out.json", {z: decode(infer(m)).z})""")
    check("decode over draws", out.get("z") == 1, out)
    y = [-1.2, -0.4, -0.9, 0.6, 1.3, 0.8, -0.1, 1.1, -1.0, -1.4]
    stay, scores, back = math.log(0.8), [[0.0, 0.0]], []
    for t, x in enumerate(y):
        before = scores[-1]
        turn = math.log(0.2)
        choice = [max((0, 1), key=lambda j: before[j] + (stay if j == k else turn)) for k in (0, 1)]
        scores.append([before[j] + (stay if j == k else turn) * (t > 0) - 0.5 * (x - (-1, 1)[k]) ** 2
                       for k, j in enumerate(choice)])
        back.append(choice)
    path = [max((0, 1), key=lambda k: scores[-1][k])]
    for choice in reversed(back[1:]):
        path.append(choice[path[-1]])
    out = answer("decode a chain over draws", f"""
data y = {y}
model m {{
    mu ~ Normal([-1, 1], 0.1)
    z[1] ~ Categorical([0.5, 0.5])
    y[1] ~ Normal(mu[z[1]], 1)
    for t in 2..{len(y)} {{
        z[t] ~ Categorical([[0.8, 0.2], [0.2, 0.8]][z[t - 1]])
        y[t] ~ Normal(mu[z[t]], 1)
    }}
}}
fit = infer(m)
write("out.json", {{z: decode(fit).z, again: decode(fit).z, other: decode(infer(m, seed = 2)).z}})""")
    want = [k + 1 for k in reversed(path)]
    check("decode a chain over draws", [out.get(k) for k in ("z", "again", "other")] == [want] * 3, f"{out}, expected {want}")


def branches():
    """A variable that is drawn in one branch only: a sum, an exact evidence; decoded it is there where its branch is
    taken. Importance sampling runs the plate element by element, and leaves the same elements out."""
    y = [0.1, 3.2, 2.9, -0.5]
    out = answer("branches", f"""
data y = {y}
model m {{
    plate i in 1..4 {{
        z[i] ~ Bernoulli(0.5)
        if z[i] == 1 {{ k[i] ~ Categorical([0.2, 0.8]);  y[i] ~ Normal(k[i] + 1, 0.5) }} else {{ y[i] ~ Normal(0, 1) }}
    }}
}}
fit = infer(m)
best = decode(fit)
g = infer(m, method = importance(20000))
p = predict(fit, m)
model both {{
    plate i in 1..4 {{
        z[i] ~ Bernoulli(0.5)
        if z[i] == 1 {{ k[i] ~ Categorical([0.2, 0.8]) }} else {{ k[i] ~ Categorical([0.6, 0.4]) }}
        y[i] ~ Normal((k[i] + 1) * z[i], 1)
    }}
}}
h = infer(both)
write("out.json", {{evidence: fit.log_evidence, p: fit.z[:, 2], z: best.z, k: best.k, again: g.log_evidence,
                   drawn: sum(is_nan(g.k) != (g.z == 0)), shape: shape(g.k), ks: fit.k, predicted: sum(is_nan(p.k) != (p.z == 0)),
                   whole: sum(h.k, dim = 2), twos: h.k[:, 2]}})""")
    one = [0.5 * (0.2 * normal(x, 2, 0.5) + 0.8 * normal(x, 3, 0.5)) for x in y]
    none = [0.5 * normal(x, 0, 1) for x in y]
    same("branches: evidence", out.get("evidence"), sum(math.log(a + b) for a, b in zip(one, none)), 1e-12)
    same("branches: probabilities", out.get("p"), [a / (a + b) for a, b in zip(one, none)], 1e-12)
    check("branches: decoded", (out.get("z"), out.get("k")) == ([0, 1, 1, 0], ["NaN", 2, 2, "NaN"]), out)
    same("branches: probabilities in the branch", out.get("ks"),
         [[0.5 * w * normal(x, k + 1, 0.5) / (a + b) for k, w in ((1, 0.2), (2, 0.8))] for x, a, b in zip(y, one, none)], 1e-12)
    check("branches: predicted", out.get("predicted") == 0, out)
    same("branches: drawn in both", out.get("whole"), [1] * 4, 1e-12)
    same("branches: drawn in both, probabilities", out.get("twos"),
         [(0.8 * normal(x, 3, 1) + 0.4 * normal(x, 0, 1)) / (0.2 * normal(x, 2, 1) + 0.8 * normal(x, 3, 1) + normal(x, 0, 1)) for x in y],
         1e-12)
    same("branches: evidence by importance", out.get("again"), out.get("evidence", 0), 0.05)
    check("branches: what is drawn", (out.get("drawn"), out.get("shape")) == (0, [4000, 4]), out)


def columns():
    """A loop over steps around a plate of chains is the same as a plate of loops; a plate that continues an array."""
    steps = """z[i, t] ~ Categorical(if t == 1 { [0.5, 0.5] } else { [[0.8, 0.2], [0.3, 0.7]][z[i, t - 1]] })
        y[i, t] ~ Normal(z[i, t], s)"""
    for latent, guide in (("s = 0.5", ""), ("s ~ HalfNormal(1)", ", steps = 50, draws = 100")):
        out = answer("columns", f"""
y = [[1, 1, 2, 2], [2, 1, 1, 1], [1.5, 2, 2, 2]]
model a(y) {{ {latent};  for t in 1..4 {{ plate i in 1..3 {{ {steps} }} }} }}
model b(y) {{ {latent};  plate i in 1..3 {{ for t in 1..4 {{ {steps} }} }} }}
f = infer(a(y){guide})
g = infer(b(y){guide})
write("out.json", {{by: f.log_evidence - g.log_evidence, z: max(abs(f.z - g.z)), best: max(abs(decode(f).z - decode(g).z)),
                   elbo: f.elbo - g.elbo}})""")
        gaps = [out.get(k) for k in ("z", "best", "by" if "=" in latent else "elbo")]
        check("columns: " + latent, gaps == [0, 0, 0], out)
    y = [1, 2, 1, 1.9]
    out = answer("a plate that continues", f"""
model m(y) {{
    z[1] ~ Categorical([0.5, 0.5])
    plate t in 2..4 {{ z[t] ~ Categorical([[0.8, 0.2], [0.3, 0.7]][z[1]]) }}
    plate u in 1..4 {{ y[u] ~ Normal(z[u], 0.5) }}
}}
fit = infer(m({y}))
write("out.json", {{evidence: fit.log_evidence, z: decode(fit).z}})""")
    total = {}
    for z in itertools.product((1, 2), repeat=4):
        total[z] = math.log(0.5) + sum(math.log([[0.8, 0.2], [0.3, 0.7]][z[0] - 1][k - 1]) for k in z[1:]) + \
            sum(-2 * (a - b) ** 2 - math.log(0.5 * math.sqrt(2 * math.pi)) for a, b in zip(y, z))
    same("a plate that continues", out.get("evidence"), math.log(sum(map(math.exp, total.values()))), 1e-12)
    check("a plate that continues: best", tuple(out.get("z", ())) == max(total, key=total.get), out)


def arrangements():
    """Indices in any order, loops inside plates and plates inside loops, at once or step by step: the same probabilities,
    the same names, draws and predictions of the same shape, the same bits when the tree is walked."""
    y = [[1, 2, 1.5], [2, 0.5, 1]]
    start, on = "Bernoulli(0.4)", "Bernoulli(0.2 + 0.5 * {before})"
    loops = {"independent": [(f"{a} {{ {b} {{ {z} ~ {start};  y[j, i] ~ Normal({z}, 1) }} }}", flip)
                             for z, flip in (("z[j, i]", False), ("z[i, j]", True))
                             for a, b in (("plate j in 1..2", "for i in 1..3"), ("for i in 1..3", "plate j in 1..2"),
                                          ("for j in 1..2", "plate i in 1..3"), ("plate j in 1..2", "plate i in 1..3"))
                             if z == "z[j, i]" or "for" in a + b]}
    loops["chain"] = []
    for i, flip in (("[j, {}]", False), ("[{}, j]", True)):
        first, now, before = ("z" + i.format(k) for k in ("1", "i", "i - 1"))
        steps = f"{now} ~ {on.format(before=before)};  y[j, i] ~ Normal({now}, 1)"
        loops["chain"] += [(f"plate j in 1..2 {{ {first} ~ {start};  for i in 2..3 {{ {steps} }} }}", flip),
                           (f"plate j in 1..2 {{ {first} ~ {start} }};  for i in 2..3 {{ plate j in 1..2 {{ {steps} }} }}", flip)]

    for kind, models in loops.items():
        total, want = 0.0, []
        for row in y:
            weights = {}
            for z in itertools.product((0, 1), repeat=3):
                ps = [0.4] + [0.4 if kind == "independent" else 0.2 + 0.5 * b for b in z]
                weights[z] = math.prod((p if k else 1 - p) for p, k in zip(ps, z)) * \
                    math.prod(normal(x, k, 1) for t, (x, k) in enumerate(zip(row, z)) if t or kind == "independent")
            total += math.log(sum(weights.values()))
            want.append([sum(w for z, w in weights.items() if z[t]) / sum(weights.values()) for t in range(3)])
        for text, flip in models:
            program = f"""
data y = {y}
model m {{ {text} }}
model more {{ s ~ HalfNormal(1);  {text.replace(", 1)", ", s)")} }}
fit = infer(m)
other = infer(more, steps = 30, draws = 60)
drawn = predict(fit, m, 1)
write("out.json", {{evidence: fit.log_evidence, z: fit.z, best: shape(decode(fit).z), drawn: shape(drawn.z), y: shape(drawn.y),
                   other: other.elbo, rest: other.z}})"""
            out = answer(f"{kind}: {text}", program)
            os.environ["PPL_WALK"] = "1"
            check(f"{kind}: {text}: walked", answer(f"{kind}: {text}", program) == out, out)
            del os.environ["PPL_WALK"]
            same(f"{kind}: {text}: evidence", out.get("evidence"), total, 1e-12)
            turned = [list(r) for r in zip(*want)] if flip else want
            same(f"{kind}: {text}: probabilities", [[p[1] for p in r] for r in out.get("z", [])], turned, 1e-12)
            check(f"{kind}: {text}: shapes", (out.get("best"), out.get("drawn")) == ([3, 2], [1, 3, 2]) if flip else
                  (out.get("best"), out.get("drawn")) == ([2, 3], [1, 2, 3]), out)


def long_families():
    """Through a pipe a summary shows families of up to 60 elements, the ends of longer ones, and says how all are seen."""
    def shown(n, *options):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "program.ppl"), "w", encoding="utf-8") as f:
                f.write(f"""
data y = ones({n})
model m {{ plate i in 1..len(y) {{ z[i] ~ Bernoulli(0.3);  y[i] ~ Normal(z[i], 1) }} }}
print(infer(m))""")
            return subprocess.run([PPL, "run", "--quiet", *options, "program.ppl"], cwd=folder, text=True, capture_output=True).stdout
    text = shown(60)
    check("a long family", all(f"z[{i}] " in text for i in range(1, 61)) and "cut" not in text, text)
    text = shown(61)
    check("a longer family", "... 53 more" in text and "z[61]" in text and "z[7] " not in text and "--json` gives all" in text, text)
    fits = [line for line in map(json.loads, shown(300, "--json").splitlines()) if "print" in line]
    check("all of it", fits and all(f"z[{i}] " in fits[0]["print"] for i in range(1, 301)), fits)


# -- Cost --

def chain(steps, states):
    data = ", ".join(f"{3 * math.sin(t / 5):.3f}" for t in range(steps))
    text = f"""
K = {states}
P = map(i -> softmax(map(j -> -0.5 * abs(i - j), 1..K)), 1..K)
data y = [{data}]
model hmm {{
    z[1] ~ Categorical(ones(K) / K)
    y[1] ~ Normal(z[1], 1)
    for t in 2..len(y) {{ z[t] ~ Categorical(P[z[t - 1]]);  y[t] ~ Normal(z[t], 1) }}
}}
fit = infer(hmm)
write("out.json", {{evidence: fit.log_evidence, total: sum(fit.z)}})"""
    with tempfile.TemporaryDirectory() as folder:
        return measured(text, folder)


def forward(steps, states):
    """The evidence of `chain` by the forward algorithm."""
    rows = [[math.exp(-0.5 * abs(i - j)) for j in range(states)] for i in range(states)]
    rows = [[x / sum(r) for x in r] for r in rows]
    a, total = [1 / states] * states, 0.0
    for t in range(steps):
        y = float(f"{3 * math.sin(t / 5):.3f}")
        if t:
            a = [sum(a[i] * rows[i][j] for i in range(states)) for j in range(states)]
        a = [x * math.exp(-0.5 * (y - k - 1) ** 2) / math.sqrt(2 * math.pi) for k, x in enumerate(a)]
        total += math.log(sum(a))
        a = [x / sum(a) for x in a]
    return total


def mixture(n, states):
    data = ", ".join(f"{3 * math.sin(t):.3f}" for t in range(n))
    text = f"""
K = {states}
data y = [{data}]
model mixture {{ plate n in 1..len(y) {{ z[n] ~ Categorical(ones(K) / K);  y[n] ~ Normal(z[n], 1) }} }}
fit = infer(mixture)
write("out.json", {{evidence: fit.log_evidence}})"""
    with tempfile.TemporaryDirectory() as folder:
        return measured(text, folder)


def fastest(f, *args):
    return min(f(*args)[2] for _ in range(3))


def cost():
    """Times grow no faster than T K^2 and N K, with a factor of 2.5 to spare."""
    for steps, states in itertools.product((1000, 2000, 4000), (2, 4, 8)):
        out, errors, _, _ = chain(steps, states)
        check(f"chain {steps} x {states}", out, errors)
        same(f"chain {steps} x {states}", (out or {}).get("evidence"), forward(steps, states))
    for what, f, small, large, most in (("T", chain, (1000, 4), (8000, 4), 8), ("K", chain, (200, 32), (200, 128), 16),
                                        ("N", mixture, (50000, 4), (400000, 4), 8), ("K of a mixture", mixture, (50000, 4), (50000, 32), 8)):
        ratio = fastest(f, *large) / fastest(f, *small)
        check(f"cost by {what}", ratio < 2.5 * most, f"{ratio:.3g} times the time for {most} times the terms")
    steps = 100000
    out, errors, seconds, peak = chain(steps, 3)
    check("a chain of 100,000 steps", out, errors)
    same("a chain of 100,000 steps", (out or {}).get("evidence"), forward(steps, 3), 1e-9)
    same("a chain of 100,000 steps: probabilities", (out or {}).get("total"), steps, 1e-7)
    check("a chain of 100,000 steps: memory", peak < MEMORY, f"{peak / 1e9:.2f} GB, at most {MEMORY / 1e9}")
    print(f"a chain of 100,000 steps: {seconds:.1f} s, {peak / 1e9:.2f} GB at its peak")


def impossible_in_a_run():
    """Importance sampling from the prior: a run whose hidden number is below a count weighs 0. The answer by sums over the
    number and the Beta function over the probability."""
    counts, total, mean = [3, 5, 2], 0, 0
    for number in range(max(counts), 80):
        a, b = sum(counts) + 2, len(counts) * number - sum(counts) + 2
        weight = math.exp(number * math.log(6) - 6 - math.lgamma(number + 1) + math.log(6) + math.lgamma(a) +
                          math.lgamma(b) - math.lgamma(a + b)) * math.prod(math.comb(number, k) for k in counts)
        total, mean = total + weight, mean + weight * number
    out = answer("impossible in a run", f"""
data n = {counts!r}
model m {{
    N ~ Poisson(6)
    p ~ Beta(2, 2)
    plate i in 1..3 {{ n[i] ~ Binomial(N, p) }}
}}
fit = infer(m, method = importance(20000))
write("out.json", {{evidence: fit.log_evidence, mean: mean(fit.N)}})
""")
    same("impossible in a run: evidence", out.get("evidence"), math.log(total), 0.01)
    same("impossible in a run: the hidden number", out.get("mean"), mean / total, 0.01)


def importance_probabilities():
    """Summed out inside importance sampling with a guide: probabilities over the weighted draws of the mean, the answer by
    quadrature; the fit is decoded and predicted from like any other."""
    y = [0.1, 1.2, 0.9, -0.5]
    total, ones = 0.0, [0.0] * len(y)
    for k in range(-4000, 6000):
        mu = k / 1000
        terms = [(0.5 * normal(x, 0, 0.5), 0.5 * normal(x, mu, 0.5)) for x in y]
        weight = normal(mu, 1, 1) * math.prod(a + b for a, b in terms) / 1000
        total += weight
        ones = [w + weight * b / (a + b) for w, (a, b) in zip(ones, terms)]
    out = answer("importance: probabilities", f"""
data y = {y}
model m {{ mu ~ Normal(1, 1);  plate i in 1..4 {{ z[i] ~ Bernoulli(0.5);  y[i] ~ Normal(mu * z[i], 0.5) }} }}
guide q for m {{ mu ~ Normal(1, 0.8) }}
fit = infer(m, q, method = importance(4000))
write("out.json", {{evidence: fit.log_evidence, z: fit.z, best: decode(fit).z, drawn: mean(predict(fit, m).z, dim = 1)}})""")
    same("importance: evidence", out.get("evidence"), math.log(total), 0.01)
    want = [w / total for w in ones]
    same("importance: probabilities", [p[1] for p in out.get("z", [])], want, 0.005)
    same("importance: drawn", out.get("drawn"), want, 0.04)
    check("importance: decoded", out.get("best") == [int(w > 0.5) for w in want], out)


def main():
    if sys.argv[1:]:
        first = int(sys.argv[1])
        random_models(range(first, int(sys.argv[2] if sys.argv[2:] else first) + 1), os.getcwd())
    else:
        for test in (sparse_coding, em, coin, geometric, semi_supervised, impossible_values, impossible_in_a_run,
                     support_depends, decode_over_draws, branches, columns, arrangements, long_families,
                     importance_probabilities):
            test()
        features = random_models(range(1, MODELS + 1))
        check("the random models have all features", not set(FEATURES) - features, set(FEATURES) - features)
        cost()
    finish()


main()
