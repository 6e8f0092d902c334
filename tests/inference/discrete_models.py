"""Random small models with discrete latents, each with its evaluation in Python: for discrete.py.

A model is built from expressions that are written twice, in the language and in Python (class E), so that the joint density
can be added up over all assignments. Python computes with complex numbers: the imaginary part of the log evidence at
theta + ih is h times its exact derivative.
"""
import cmath
import itertools
import math
import random

TOLERATED_JOINT = 700  # assignments of all variables together
STEP = 1e-30


# -- Expressions, twice --

class E:
    def __init__(self, ppl, py=None):
        self.ppl, self.py = str(ppl), str(ppl if py is None else py)

    def _two(self, op, other, pyop=None):
        o = other if isinstance(other, E) else E(other)
        return E(f"({self.ppl} {op} {o.ppl})", f"({self.py} {pyop or op} {o.py})")

    def __add__(self, o): return self._two("+", o)
    def __sub__(self, o): return self._two("-", o)
    def __mul__(self, o): return self._two("*", o)
    def square(self): return self._two("^", 2, "**")
    def equals(self, o): return self._two("==", o)
    def above(self, o): return self._two(">", o)

    def at(self, *index):
        """Element of an array."""
        index = [i if isinstance(i, E) else E(i) for i in index]
        return E(f"{self.ppl}[{', '.join(i.ppl for i in index)}]", f"{self.py}[{', '.join(i.py for i in index)}]")

    def variable(self, *index):
        """Element of a random variable: a dictionary in Python."""
        index = [i if isinstance(i, E) else E(i) for i in index]
        ppl = f"{self.ppl}[{', '.join(i.ppl for i in index)}]" if index else self.ppl
        return E(ppl, f"{self.py}[{''.join(i.py + ',' for i in index) or '()'}]")


def call(name, *args, **named):
    args = [a if isinstance(a, E) else E(a) for a in args]
    named = {k: a if isinstance(a, E) else E(a) for k, a in named.items()}
    ppl = [a.ppl for a in args] + [f"{k} = {a.ppl}" for k, a in named.items()]
    py = [a.py for a in args] + [f"{k}={a.py}" for k, a in named.items()]
    return E(f"{name}({', '.join(ppl)})", f"{name}({', '.join(py)})")


def listed(*items):
    items = [i if isinstance(i, E) else E(i) for i in items]
    return E(f"[{', '.join(i.ppl for i in items)}]", f"V([{', '.join(i.py for i in items)}])")


def choose(condition, a, b):
    return E(f"(if {condition.ppl} {{ {a.ppl} }} else {{ {b.ppl} }})", f"({a.py} if {condition.py} else {b.py})")


def literal(x):
    """A number, a list, a list of lists: as text of both languages."""
    if isinstance(x, list):
        return listed(*[literal(i) for i in x])
    return E("missing", "None") if x is None else E(repr(x))


# -- What the Python side computes with --

class V(list):
    """A vector (or nested ones) that counts from 1."""

    def __getitem__(self, i):
        if isinstance(i, tuple):
            return self[i[0]] if len(i) == 1 else self[i[0]][i[1:]]
        assert 1 <= i <= len(self), f"index {i} of {len(self)}"
        return list.__getitem__(self, i - 1)

    def _with(self, o, f):
        return V(f(a, b) for a, b in zip(self, o)) if isinstance(o, list) else V(f(a, o) for a in self)

    def __add__(self, o): return self._with(o, lambda a, b: a + b)
    def __sub__(self, o): return self._with(o, lambda a, b: a - b)
    def __mul__(self, o): return self._with(o, lambda a, b: a * b)


def exp(x): return cmath.exp(x)
def tanh(x): return cmath.tanh(x)
def sigmoid(x): return 1 / (1 + cmath.exp(-x))
def total(x): return sum(x.values() if isinstance(x, dict) else x)


def softmax(x):
    top = max(a.real for a in map(complex, x))
    w = [cmath.exp(a - top) for a in x]
    return V(a / sum(w) for a in w)


class Law:
    def __init__(self, f):
        self.logpdf = f


def Normal(m, s):
    return Law(lambda x: -0.5 * ((x - m) / s) ** 2 - cmath.log(s) - 0.5 * math.log(2 * math.pi))


def Bernoulli(p=None, logits=None):
    q = sigmoid(logits) if p is None else p
    return Law(lambda x: cmath.log(q if x == 1 else 1 - q))


def Categorical(p=None, logits=None):
    q = softmax(logits) if p is None else p
    return Law(lambda x: cmath.log(q[x]))


def Binomial(n, p):
    return Law(lambda x: math.log(math.comb(n, x)) + x * cmath.log(p) + (n - x) * cmath.log(1 - p))


def Poisson(r):
    return Law(lambda x: x * cmath.log(r) - r - math.lgamma(x + 1))


def DiscreteUniform(low, high):
    return Law(lambda x: -math.log(high - low + 1))


# -- The generator --

class Group:
    """A variable of a support first .. first + k - 1; dims: its indices, plates or steps, each (name, size)."""

    def __init__(self, name, first, k, dims, address=None):
        self.name, self.first, self.k, self.dims = name, first, k, dims
        self.address = address or name  # fit.<address>
        self.open = []  # indices that are running now
        self.data = None  # of a variable that is partly observed

    def elements(self):
        return list(itertools.product(*[range(1, n + 1) for _, n in self.dims]))


class Parent:
    def __init__(self, e, first, k):
        self.e, self.first, self.k = e, first, k

    def index(self):
        """Counted from 1."""
        return self.e if self.first == 1 else self.e + (1 - self.first)


class Model:
    def __init__(self, seed, without=()):
        self.without = without
        self.r = random.Random(seed)
        self.seed = seed
        self.nparams = self.r.randint(2, 5)
        self.theta = [round(self.r.uniform(-1, 1), 3) for _ in range(self.nparams)]
        self.groups, self.tops, self.features = [], [], set()
        self.ppl_head, self.py_head = [], []
        self.ppl, self.py, self.indent = [], [], 1
        self.inner = []
        self.names = {}
        self.joint = 1
        self.plates = []  # running, (name, size)
        self.steps = []  # running loops
        self.build()

    # text
    def fresh(self, stem):
        self.names[stem] = self.names.get(stem, 0) + 1
        return f"{stem}{self.names[stem]}"

    def line(self, ppl, py):
        if ppl is not None:
            self.ppl.append("    " * self.indent + ppl)
        if py is not None:
            self.py.append("    " * self.indent + py)

    def bind(self, name, e):
        self.line(f"{name} = {e.ppl}", f"{name} = {e.py}")
        return E(name)

    def constant(self, stem, value, data=False):
        name = self.fresh(stem)
        e = literal(value)
        self.ppl_head.append(f"{'data ' if data else ''}{name} = {e.ppl}")
        self.py_head.append(f"{name} = {e.py}")
        return E(name)

    # numbers
    def number(self, low=-1.5, high=1.5):
        return round(self.r.uniform(low, high), 2)

    def simplex(self, k):
        w = [self.r.randint(1, 9) for _ in range(k)]
        cut = [round(x / sum(w), 3) for x in w]
        cut[-1] = round(1 - sum(cut[:-1]), 3)
        return cut if min(cut) > 0 else self.simplex(k)

    def choice(self, options):
        return self.r.choice([o for o in options if o not in self.without])

    def param(self):
        return E("theta").at(self.r.randint(1, self.nparams))

    # parents
    def visible(self):
        out = []
        here = self.plates + self.steps
        for g in self.groups:
            index, ok, whole = [], True, bool(g.dims)
            for d in g.dims:
                if d in here:
                    index.append(E(d[0]))
                    whole = False
                elif d in g.open:
                    ok = False
                else:
                    index.append(None)
            if not ok or (whole and g.open):
                continue
            # crossing plates do not meet: an element of another plate is named by a number, or by data
            filled = []
            for i, d in zip(index, g.dims):
                if i is None and self.plates and self.r.random() < 0.3 and len(g.dims) == 1:
                    size = self.plates[-1][1]
                    i = self.constant("at", [self.r.randint(1, d[1]) for _ in range(size)]).at(self.plates[-1][0])
                    self.features.add("gather")
                elif i is None:
                    i = E(self.r.randint(1, d[1]))
                    self.features.add("element")
                filled.append(i)
            out.append(Parent(E(g.name).variable(*filled), g.first, g.k))
            n = math.prod(d[1] for d in g.dims)
            if whole and n <= 4 and not g.open and self.r.random() < 0.3:
                self.features.add("sum")
                out.append(Parent(E(f"sum({g.name})", f"total({g.name})"), g.first * n, n * (g.k - 1) + 1))
        return out

    def parents(self, most=2, extra=()):
        seen = self.visible()
        n = min(len(seen), self.r.choice([1, 1, 2, 2, 3][:most + 2]))
        return list(extra) + self.r.sample(seen, n)

    # expressions
    def scalar(self, parents, depth=0):
        """A real number of the parents (each appears) and of parameters."""
        r = self.r
        if not parents:
            return self.param() * self.number() + self.number()
        if len(parents) >= 2 and r.random() < 0.35:
            a, b = parents[:2]
            self.features.add("matrix")
            w = self.constant("W", [[self.number() for _ in range(b.k)] for _ in range(a.k)])
            e = w.at(a.index(), b.index()) * self.param()
            return e if len(parents) == 2 else e + self.scalar(parents[2:], depth)
        if len(parents) >= 2:
            e = self.scalar(parents[:1], depth)
            rest = self.scalar(parents[1:], depth)
            return e + rest if r.random() < 0.6 else e * rest
        a = parents[0]
        how = self.choice(["arithmetic", "arithmetic", "square", "index", "index", "parameters", "if", "where", "fn", "net"])
        self.features.add(how)
        if how == "arithmetic":
            return a.e * self.param() + self.number()
        if how == "square":
            return a.e.square() * self.number(-0.5, 0.5) + self.param()
        if how == "index":
            return self.constant("v", [self.number() for _ in range(a.k)]).at(a.index()) * self.param()
        if how == "parameters":
            name = self.fresh("w")
            e = listed(*[self.param() if r.random() < 0.7 else self.number() for _ in range(a.k)])
            self.tops.append((name, e))
            return E(name).at(a.index())
        if how == "if":
            c = a.e.equals(a.first + r.randrange(a.k)) if r.random() < 0.5 else a.e.above(a.first + 0.5)
            return choose(c, self.param(), self.scalar([a] if depth < 1 else [], depth + 1) if r.random() < 0.5 else E(self.number()))
        if how == "where":
            c, x, y = a.e.above(a.first), self.param(), E(self.number())
            return E(f"where({c.ppl}, {x.ppl}, {y.ppl})", f"({x.py} if {c.py} else {y.py})")
        if how == "fn":
            name = self.fresh("f")
            body = E("x") * self.number() + E("y") * E("x")
            self.ppl_head.append(f"fn {name}(x, y) = {body.ppl}")
            self.py_head.append(f"def {name}(x, y): return {body.py}")
            return call(name, a.e, self.param())
        name = self.fresh("n")
        body = call("tanh", E("x") * self.number() + self.number()) * self.number() + call("sigmoid", E("x") * self.number())
        self.ppl_head.append(f"net {name}(x) {{\n    h = {body.ppl}\n    h - {self.number()}\n}}")
        tail = self.ppl_head[-1].split("h - ")[1].split("\n")[0]
        self.py_head.append(f"def {name}(x): return {body.py} - {tail}")
        return call(name, a.e) + self.param()

    # laws
    def law(self, k, first, parents):
        """A distribution on first .. first + k - 1 that depends on the parents."""
        r = self.r
        if k == 2 and first == 0:
            how = self.choice(["logits", "p", "table", "chosen", "if"])
            self.features.add("Bernoulli " + how)
            if how == "table" and parents:
                a = parents[0]
                p = self.constant("p", [round(r.uniform(0.1, 0.9), 2) for _ in range(a.k)]).at(a.index())
                return call("Bernoulli", p if len(parents) == 1 else p * 0.5 + call("sigmoid", self.scalar(parents[1:])) * 0.5)
            if how == "chosen" and parents:
                a = parents[0]
                return listed(*[call("Bernoulli", logits=self.scalar(parents[1:])) for _ in range(a.k)]).at(a.index())
            if how == "if" and parents:
                a = parents[0]
                return choose(a.e.above(a.first + 0.5), call("Bernoulli", logits=self.scalar(parents)), call("Bernoulli", round(r.uniform(0.2, 0.8), 2)))
            return call("Bernoulli", logits=self.scalar(parents)) if how == "logits" else call("Bernoulli", call("sigmoid", self.scalar(parents)))
        if first == 0:
            self.features.add("Binomial")
            return call("Binomial", k - 1, call("sigmoid", self.scalar(parents)))
        if first != 1:
            self.features.add("bounded")
            return call("DiscreteUniform", first, first + k - 1)
        how = self.choice(["table", "table", "logits", "chosen"])
        self.features.add("Categorical " + how)
        if not parents:
            return call("Categorical", self.constant("P", self.simplex(k)))
        if how == "table":
            use = parents[:2]
            table = [[self.simplex(k) for _ in range(use[-1].k)] for _ in range(use[0].k)] if len(use) == 2 else [self.simplex(k) for _ in range(use[0].k)]
            row = self.constant("P", table).at(*[a.index() for a in use])
            if len(parents) == 2:
                return call("Categorical", row)
            return call("Categorical", call("softmax", row * self.scalar(parents[2:] or parents[:1])))
        if how == "chosen":
            a = parents[0]
            return listed(*[call("Categorical", call("softmax", listed(*[self.scalar(parents[1:]) for _ in range(k)]))) for _ in range(a.k)]).at(a.index())
        return call("Categorical", logits=listed(*[self.scalar(parents if i == 0 else parents[:1]) for i in range(k)]))

    # statements
    def support(self):
        """(first, k) such that the joint stays small, or None."""
        count = math.prod(n for _, n in self.plates) * math.prod(n for _, n in self.steps)
        for _ in range(4):
            first, k = self.r.choice([(0, 2), (0, 2), (1, 2), (1, 2), (1, 3), (1, 3), (1, 4), (0, 3), (2, 2), (-1, 3)])
            if self.joint * k ** count <= TOLERATED_JOINT:
                self.joint *= k ** count
                return first, k
        return None

    def latent(self, parents=None):
        s = self.support()
        if not s:
            return None
        if parents is None:
            parents = self.parents() if self.r.random() < 0.8 else []
        dims = self.plates + self.steps
        g = Group(self.fresh("z"), s[0], s[1], dims)
        d = self.law(s[1], s[0], parents)
        site = E(g.name).variable(*[E(n) for n, _ in dims])
        if s == (1, 3) and len(dims) == 1 and self.plates and self.r.random() < 0.3:  # some are observed
            g.data = [self.r.randint(1, 3) if self.r.random() < 0.5 else None for _ in range(dims[0][1])]
            if None in g.data:
                self.features.add("missing")
                e = literal(g.data)
                self.ppl_head.append(f"data {g.name} = {e.ppl}")
            else:
                g.data = None
        if parents and self.r.random() < 0.15 and not g.data:
            self.features.add("latent if")
            e, a = self.law(s[1], s[0], parents[1:]), parents[0]
            c = a.e.above(a.first)
            self.line(f"if {c.ppl} {{ {site.ppl} ~ {d.ppl} }} else {{ {site.ppl} ~ {e.ppl} }}",
                      f"lp += ({d.py} if {c.py} else {e.py}).logpdf({site.py})")
        else:
            self.line(f"{site.ppl} ~ {d.ppl}", f"lp += {d.py}.logpdf({site.py})")
        g.open = list(dims)
        self.groups.append(g)
        if g.data:  # what nothing depends on would drop out
            self.observed([Parent(site, g.first, g.k)])
        return g

    def observed(self, parents=None):
        r = self.r
        if parents is None:
            parents = self.parents(most=3)
        dims = self.plates + self.steps
        how = self.choice(["normal", "normal", "normal", "poisson", "bernoulli", "factor", "observe", "if", "chosen", "local"])
        self.features.add("observed " + how)

        def data(draw):
            def fill(sizes):
                return [fill(sizes[1:]) for _ in range(sizes[0])] if sizes else draw()
            return self.constant("y", fill([n for _, n in dims]), data=True)

        def target(y):
            return y.at(*[E(n) for n, _ in dims]) if dims else y

        def score(y, d):
            self.line(f"{y.ppl} ~ {d.ppl}", f"lp += {d.py}.logpdf({y.py})")
        if how == "factor":
            e = self.scalar(parents)
            self.line(f"factor 0.3 * {e.ppl}", f"lp += 0.3 * {e.py}")
        elif how == "observe":
            e, d = self.scalar(parents), call("Normal", self.number(), 1.5)
            self.line(f"observe {e.ppl} ~ {d.ppl}", f"lp += {d.py}.logpdf({e.py})")
        elif how == "poisson":
            score(target(data(lambda: r.randint(0, 4))), call("Poisson", call("exp", self.scalar(parents) * 0.4)))
        elif how == "bernoulli":
            score(target(data(lambda: r.randint(0, 1))), call("Bernoulli", logits=self.scalar(parents)))
        elif how == "if" and parents:
            y, a = target(data(self.number)), parents[0]
            c, d, e = a.e.above(a.first), call("Normal", self.scalar(parents), 0.8), call("Normal", self.param(), 1.3)
            self.line(f"if {c.ppl} {{ {y.ppl} ~ {d.ppl} }} else {{ {y.ppl} ~ {e.ppl} }}",
                      f"lp += ({d.py} if {c.py} else {e.py}).logpdf({y.py})")
        elif how == "chosen" and parents:
            a = parents[0]
            score(target(data(self.number)), listed(*[call("Normal", self.scalar(parents[1:]), round(r.uniform(0.5, 2), 2)) for _ in range(a.k)]).at(a.index()))
        elif how == "local":
            e = self.bind(self.fresh("e"), self.scalar(parents))
            score(target(data(self.number)), call("Normal", e, call("exp", e * 0.2)))
        else:
            sd = E(round(r.uniform(0.5, 2), 2))
            if parents and r.random() < 0.3:
                sd = self.constant("s", [round(r.uniform(0.5, 2), 2) for _ in range(parents[0].k)]).at(parents[0].index())
            score(target(data(self.number)), call("Normal", self.scalar(parents), sd))

    def nested(self):
        """A model of its own with a variable inside; its value goes on."""
        if self.plates or self.steps:
            return
        s = self.support()
        seen = self.parents(most=1)
        if not s or not seen:
            return
        self.features.add("nested model")
        name, effect = self.fresh("inner"), self.fresh("effect")
        a = Parent(E("x"), seen[0].first, seen[0].k)
        d = self.law(s[1], s[0], [a])
        value = E("u") * self.number() + E("x") * 0.5
        self.ppl_head.append(f"model {name}(x, theta) {{\n" + "".join(f"    {n} = {e.ppl}\n" for n, e in self.tops) +
                             f"    u ~ {d.ppl}\n    return {value.ppl}\n}}")
        self.line(f"{effect} ~ {name}({seen[0].e.ppl}, theta)", f"x = {seen[0].e.py}; u = {effect}_u[()]")
        self.line(None, f"lp += {d.py}.logpdf(u)")
        self.line(None, f"{effect} = {value.py}")
        g = Group(effect + "_u", s[0], s[1], [], address=effect + ".u")
        self.inner.append(g)
        y = self.constant("y", self.number(), data=True)
        law = call("Normal", E(effect) * self.param(), 1)
        self.line(f"{y.ppl} ~ {law.ppl}", f"lp += {law.py}.logpdf({y.py})")

    def close(self, dim):
        for g in self.groups:
            if dim in g.open:
                g.open.remove(dim)

    def plate(self, depth=0):
        dim = (self.fresh("i"), self.r.choice([2, 2, 3]) if depth == 0 else 2)
        self.features.add("plate" if depth == 0 else "nested plate")
        self.line(f"plate {dim[0]} in 1..{dim[1]} {{", f"for {dim[0]} in range(1, {dim[1] + 1}):")
        self.plates.append(dim)
        self.indent += 1
        self.line(None, "pass")
        self.body(depth, self.r.randint(1, 3))
        self.indent -= 1
        self.plates.pop()
        self.close(dim)
        self.line("}", None)

    def chain(self):
        """Of order 1 or 2; inside a plate one chain per element; its steps see other chains of the same loop."""
        s = self.r.choice([(0, 2), (1, 2), (1, 3)])
        order = self.r.choice([1, 1, 1, 2])
        steps = self.r.randint(order + 1, 4)
        count = math.prod(n for _, n in self.plates)
        if self.joint * s[1] ** (steps * count) > TOLERATED_JOINT:
            return
        self.joint *= s[1] ** (steps * count)
        self.features.add(f"chain of order {order}" + (" in a plate" if self.plates else ""))
        t = self.fresh("t")
        dims = self.plates + [(t, steps)]
        g = Group(self.fresh("z"), s[0], s[1], dims)
        above = [E(n) for n, _ in self.plates]

        def state(e):
            return Parent(E(g.name).variable(*above, e), s[0], s[1])
        shared = self.parents(most=1) if self.r.random() < 0.4 else []
        for k in range(1, order + 1):
            d = self.law(s[1], s[0], ([state(E(k - 1))] if k > 1 else []) + shared)
            x = state(E(k)).e
            self.line(f"{x.ppl} ~ {d.ppl}", f"lp += {d.py}.logpdf({x.py})")
        self.line(f"for {t} in {order + 1}..{steps} {{", f"for {t} in range({order + 1}, {steps + 1}):")
        self.indent += 1
        d = self.law(s[1], s[0], [state(E(t) - k) for k in range(1, order + 1)] + shared)
        x = state(E(t)).e
        self.line(f"{x.ppl} ~ {d.ppl}", f"lp += {d.py}.logpdf({x.py})")
        g.open = [(t, steps)]
        if self.r.random() < 0.7 and not self.plates:
            self.steps.append((t, steps))
            self.observed([state(E(t))] + ([state(E(t) - 1)] if self.r.random() < 0.3 else []))
            self.steps.pop()
        self.indent -= 1
        self.line("}", None)
        g.open = list(self.plates)
        self.groups.append(g)
        if self.r.random() < 0.5:  # emissions in a plate over the steps
            n = self.fresh("i")
            if not self.plates:
                self.line(f"plate {n} in 1..{steps} {{", f"for {n} in range(1, {steps + 1}):")
                self.indent += 1
                self.plates.append((n, steps))
                self.observed([state(E(n))])
                self.plates.pop()
                self.indent -= 1
                self.line("}", None)

    def factorial_chain(self):
        """Chains side by side, in a plate inside the loop; what is observed depends on all of them."""
        s, steps, n = (1, 2), self.r.randint(2, 3), 2
        if self.joint * s[1] ** (steps * n) > TOLERATED_JOINT:
            return
        self.joint *= s[1] ** (steps * n)
        self.features.add("factorial chain")
        t, i, z = self.fresh("t"), self.fresh("i"), self.fresh("z")
        dims = [(t, steps), (i, n)]

        def state(time, chain):
            return Parent(E(z).variable(time, chain), s[0], s[1])
        g = Group(z, s[0], s[1], dims)

        def plate(law, at):
            self.line(f"plate {i} in 1..{n} {{", f"for {i} in range(1, {n + 1}):")
            self.indent += 1
            x = state(at, E(i)).e
            self.line(f"{x.ppl} ~ {law.ppl}", f"lp += {law.py}.logpdf({x.py})")
            self.indent -= 1
            self.line("}", None)
        plate(self.law(s[1], s[0], []), E(1))
        self.line(f"for {t} in 2..{steps} {{", f"for {t} in range(2, {steps + 1}):")
        self.indent += 1
        plate(self.law(s[1], s[0], [state(E(t) - 1, E(i))]), E(t))
        self.steps.append((t, steps))
        self.observed([state(E(t), E(k)) for k in range(1, n + 1)])
        self.steps.pop()
        self.indent -= 1
        self.line("}", None)
        self.groups.append(g)

    def body(self, depth, n):
        for _ in range(n):
            how = self.choice(["latent", "latent", "observed", "observed", "plate", "plate", "chain", "nested"])
            if how == "latent":
                self.latent()
            elif how == "observed":
                self.observed()
            elif how == "plate" and depth < 2:
                self.plate(depth + 1 if self.plates else 0)
            elif how == "chain" and not self.plates and self.r.random() < 0.3:
                self.factorial_chain()
            elif how == "chain" and depth < 1:
                self.chain()
            elif how == "nested":
                self.nested()
        if self.plates:
            self.latent()
            self.observed()

    def build(self):
        for _ in range(self.r.randint(0, 2)):
            self.latent()
        self.body(0, self.r.randint(2, 4))
        if not self.groups:
            self.latent([])
        self.observed()
        self.groups += self.inner

    # results
    def program(self, out, decode):
        body = "\n".join(["    " + f"{n} = {e.ppl}" for n, e in self.tops] + self.ppl)
        fields = ", ".join(f"{g.name}: fit.{g.address}" for g in self.groups)
        if decode:
            fields += "".join(f", best_{g.name}: best.{g.address}" for g in self.groups)
        u = "[" + ", ".join(map(repr, self.theta)) + "]"
        return "\n".join(self.ppl_head) + f"""
model m(theta) {{
{body}
}}
model free {{
    theta ~ Normal(0, 1)[{self.nparams}]
{body}
}}
fit = infer(m({u}))
{"best = decode(fit)" if decode else ""}
write("{out}", {{evidence: fit.log_evidence, joint: unconstrained_logpdf(free, {u}),
    gradient: unconstrained_gradient(free, {u}), {fields}}})
"""

    def source(self):
        names = [f"    {g.name} = v['{g.name}']" for g in self.groups]
        return "\n".join(self.py_head + ["def joint(theta, v):", "    lp = 0"] + names +
                         ["    " + f"{n} = {e.py}" for n, e in self.tops] + self.py + ["    return lp"])

    def brute_force(self):
        """log evidence, its gradient, {name: {element: probabilities}}, the largest log joint and the joint itself."""
        space = dict(globals())
        exec(self.source(), space)  # pylint: disable=exec-used
        joint = space["joint"]
        sites = [(g, i) for g in self.groups for i in g.elements()]
        values = [[g.data[i[0] - 1]] if g.data and g.data[i[0] - 1] is not None else range(g.first, g.first + g.k) for g, i in sites]
        thetas = [[complex(x, STEP if j == k else 0) for j, x in enumerate(self.theta)] for k in range(self.nparams)]
        terms = []
        v = {g.name: {} for g in self.groups}
        for x in itertools.product(*values):
            for (g, i), one in zip(sites, x):
                v[g.name][i] = one
            terms.append((x, [complex(joint(V(th), v)) for th in thetas]))
        top = max(lp[0].real for _, lp in terms)
        weights = [[cmath.exp(lp[k] - top) for _, lp in terms] for k in range(self.nparams)]
        sums = [complex(math.fsum(w.real for w in ws), math.fsum(w.imag for w in ws)) for ws in weights]
        evidence = math.log(sums[0].real) + top
        gradient = [s.imag / STEP / s.real for s in sums]
        marginals = {g.name: {} for g in self.groups}
        for s, (g, i) in enumerate(sites):
            p = [math.fsum(w.real for w, (x, _) in zip(weights[0], terms) if x[s] == g.first + k) for k in range(g.k)]
            marginals[g.name][i] = [a / sums[0].real for a in p]

        def log_joint(assignment):
            return complex(joint(V(self.theta), assignment)).real
        return evidence, gradient, marginals, top, log_joint
