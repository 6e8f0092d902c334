"""Log densities of a random model (models.py) by its Python side."""
import itertools, math, random
from math import tanh, sin, cos, erf, atan, exp, log, sqrt

MOST = 4096 # configurations of discrete latents


def vector(v):
    return {k + 1: x for k, x in enumerate(v)}


def dictionary(v, missing=math.nan):
    """{1: ...}, {(1, 1): ...}, with nan for what is missing."""
    if not isinstance(v, list):
        return missing if v is None else v
    out = {}

    def fill(x, key):
        for k, y in enumerate(x):
            if isinstance(y, list):
                fill(y, key + (k + 1,))
            else:
                out[key + (k + 1,) if key else k + 1] = missing if y is None else y
    fill(v, ())
    return out


def softplus(x):
    return max(x, 0) + math.log1p(exp(-abs(x)))


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))


def where(c, a, b):
    return a if c else b


def sum_(*x):
    return math.fsum(x)


def mean_(*x):
    return math.fsum(x) / len(x)


def logsumexp_(*x):
    m = max(x)
    return m + log(math.fsum(exp(v - m) for v in x))


def suma(x):
    return math.fsum(x.values())


def meana(x):
    return suma(x) / len(x)


def softmax_(*x):
    n = logsumexp_(*x)
    return vector([exp(v - n) for v in x])


def row(table, i):
    return {k[1]: x for k, x in table.items() if k[0] == i}


def tilt(p, e, by):
    return softmax_(*[log(p[k + 1]) + e * b for k, b in enumerate(by)])


def plus(h, e):
    return {k: 0.5 * x + e[k] for k, x in h.items()}


def normal(x, m, s):
    return -0.5 * ((x - m) / s) ** 2 - log(s) - 0.5 * log(2 * math.pi)


def multivariate(x, loc, scale, rho):
    """Covariance scale ((1 - rho) I + rho 11'): its inverse by Sherman and Morrison."""
    n, d = len(x), [x[k] - loc[k] for k in x]
    whole = 1 + (n - 1) * rho
    quadratic = (sum(v * v for v in d) - rho * sum(d) ** 2 / whole) / ((1 - rho) * scale)
    return -0.5 * (n * log(2 * math.pi) + n * log(scale) + (n - 1) * log(1 - rho) + log(whole) + quadratic)


def density(family, x, a):
    if family == 'Normal':
        return sum(normal(v, *a) for v in x.values()) if isinstance(x, dict) else normal(x, *a)
    if family == 'LogNormal':
        return normal(log(x), *a) - log(x)
    if family == 'StudentT':
        n, m, s = a
        return math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - 0.5 * log(n * math.pi) - log(s) - (n + 1) / 2 * math.log1p(((x - m) / s) ** 2 / n)
    if family == 'Logistic':
        v = (x - a[0]) / a[1]
        return -abs(v) - log(a[1]) - 2 * math.log1p(exp(-abs(v)))
    if family == 'Laplace':
        return -abs(x - a[0]) / a[1] - log(2 * a[1])
    if family == 'Gumbel':
        v = (x - a[0]) / a[1]
        return -v - exp(-v) - log(a[1])
    if family == 'Beta':
        return (a[0] - 1) * log(x) + (a[1] - 1) * math.log1p(-x) - math.lgamma(a[0]) - math.lgamma(a[1]) + math.lgamma(a[0] + a[1])
    if family == 'Gamma':
        return a[0] * log(a[1]) + (a[0] - 1) * log(x) - a[1] * x - math.lgamma(a[0])
    if family == 'Exponential':
        return log(a[0]) - a[0] * x
    if family == 'HalfNormal':
        return normal(x, 0, a[0]) + log(2)
    if family == 'Weibull':
        return log(a[0] / a[1]) + (a[0] - 1) * log(x / a[1]) - (x / a[1]) ** a[0]
    if family == 'Bernoulli':
        return log(a[0]) if x else math.log1p(-a[0])
    if family == 'BernoulliLogits':
        return -softplus(-a[0] if x else a[0])
    if family == 'Poisson':
        return x * log(a[0]) - a[0] - math.lgamma(x + 1)
    if family == 'Binomial':
        return log(math.comb(a[0], x)) + x * log(a[1]) + (a[0] - x) * math.log1p(-a[1])
    if family == 'Categorical':
        return log(a[0][x])
    if family == 'Dirichlet':
        a = a[0]
        return sum((a[k] - 1) * log(x[k]) - math.lgamma(a[k]) for k in a) + math.lgamma(sum(a.values()))
    return multivariate(x, *a)


class Scored:
    """Under given values; {name: {index: value}}."""

    def __init__(self, values, chosen):
        self.values, self.chosen, self.terms = values, chosen, []

    def latent(self, name, key, family, *a):
        key = key[0] if len(key) == 1 else tuple(k for k in key)
        x = self.chosen[name, key] if (name, key) in self.chosen else self.values[name][key]
        if family == 'MultivariateNormal':
            self.terms.append(multivariate(x, a[0], a[1], a[2]))
        else:
            self.terms.append(density(family, x, a))
        return x

    def observed(self, x, family, *a):
        if x == x:
            self.terms.append(density(family, x, a))

    def factor(self, x):
        self.terms.append(x)


class Drawn:
    """Some value for each latent."""

    def __init__(self, seed, levels, sizes):
        self.r, self.values, self.discrete, self.levels, self.sizes = random.Random(seed), {}, [], levels, sizes

    def latent(self, name, key, family, *a):
        key = key[0] if len(key) == 1 else tuple(key)
        r = self.r
        if name in self.levels:
            self.discrete.append((name, key))
            x = r.randint(*self.levels[name])
        elif family == 'Dirichlet':
            w = [r.uniform(0.3, 1) for _ in a[0]]
            x = vector([v / sum(w) for v in w])
        elif self.sizes[name]:
            x = vector([round(r.gauss(0, 0.7), 3) for _ in range(self.sizes[name])])
        elif family == 'Beta':
            x = round(r.uniform(0.1, 0.9), 3)
        elif family in ('LogNormal', 'Gamma', 'Exponential', 'HalfNormal', 'Weibull'):
            x = round(r.uniform(0.2, 2), 3)
        else:
            x = round(r.gauss(0, 0.7), 3)
        self.values.setdefault(name, {})[key] = x
        return x

    def observed(self, *a):
        pass

    factor = observed


def as_list(d):
    """Back to nested lists; 0 where there is nothing (a loop that begins later)."""
    if not isinstance(d, dict):
        return d
    if () in d:
        return as_list(d[()])
    if any(isinstance(k, int) for k in d):
        return [as_list(d.get(k, 0)) for k in range(1, max(d) + 1)]
    sizes = [max(k[j] for k in d) for j in range(len(next(iter(d))))]

    def fill(key):
        if len(key) == len(sizes):
            return as_list(d.get(key, 0))
        return [fill(key + (k,)) for k in range(1, sizes[len(key)] + 1)]
    return fill(())


class Oracle:
    def __init__(self, model):
        names = dict(globals())
        names.update({n: dictionary(v) for n, v in model.data.items()})
        exec(compile(model.python(), 'model', 'exec'), names)
        self.run = names['model']
        levels = {l.name: l.levels for l in model.latents if l.levels}
        drawn = Drawn(model.seed, levels, {l.name: l.size for l in model.latents})
        self.run(drawn)
        self.values, self.discrete, self.levels = drawn.values, drawn.discrete, levels

    def record(self):
        return {n: as_list(v) for n, v in self.values.items()}

    def joint(self, chosen={}):
        s = Scored(self.values, chosen)
        self.run(s)
        return math.fsum(s.terms)

    def summed(self):
        """None: too many."""
        n = 1
        for name, _ in self.discrete:
            lo, hi = self.levels[name]
            n *= hi - lo + 1
            if n > MOST:
                return None
        spaces = [range(self.levels[name][0], self.levels[name][1] + 1) for name, _ in self.discrete]
        return logsumexp_(*[self.joint(dict(zip(self.discrete, c))) for c in itertools.product(*spaces)])
