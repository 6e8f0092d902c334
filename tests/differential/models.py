"""Random models, each as a program and as Python: plates, loops with what they carry, gathers, discrete latents, functions.

Everything is written twice as it is made: `Text.p` is the program's text, `Text.q` Python's. All arrays of the Python side are
dicts from indices to numbers. Values stay within bounds that no density minds.
"""
import json, random

LENGTHS = [0, 1, 2, 3, 3, 4, 5, 7, 7, 8, 8, 9, 9, 16, 17, 33, 40]
LONG = [64, 300, 2000]


class Text:
    def __init__(self, p, q=None):
        self.p, self.q = p, p if q is None else q


def lit(x):
    return Text(repr(x))


def op(a, o, b):
    return Text(f'({a.p} {o} {b.p})', f'({a.q} {"**" if o == "^" else o} {b.q})')


def call(f, *a):
    return Text(f'{f}({", ".join(x.p for x in a)})', f'{f}({", ".join(x.q for x in a)})')


def choose(c, a, b):
    return Text(f'(if {c.p} {{ {a.p} }} else {{ {b.p} }})', f'({a.q} if {c.q} else {b.q})')


def at(name, *i):
    return Text(f'{name}[{", ".join(x.p for x in i)}]', f'{name}[{", ".join(x.q for x in i)}]')


class Array:
    """What can be read: its name, its sizes, the names of the indices under which an element is already there."""

    def __init__(self, name, sizes, kind='real', element=None):
        self.name, self.sizes, self.kind, self.element = name, sizes, kind, element


class Scope:
    def __init__(self, outer=None):
        self.numbers = list(outer.numbers) if outer else []     # (Text, kind): kinds are real, positive, unit
        self.arrays = list(outer.arrays) if outer else []
        self.discrete = list(outer.discrete) if outer else []   # (Text, values from, to)
        self.steps = list(outer.steps) if outer else []         # (name, from, to, 'plate' or 'for')
        self.vectors = list(outer.vectors) if outer else []     # (text, size), of the language alone
        self.matrices = list(outer.matrices) if outer else []   # (text, rows, columns)


class Latent:
    def __init__(self, name, indices, support, around, size=0, levels=None):
        self.name, self.indices, self.support, self.around = name, indices, support, around
        self.size, self.levels = size, levels                   # of the event; of a discrete one its values


class Model:
    """Statements are (kind, ...) tuples; see `written`."""

    def __init__(self, seed, long=0, most=40, discrete=0.5, missing=0.25):
        self.r = r = random.Random(seed)
        self.seed, self.long, self.most = seed, long, most          # most: the longest of the others
        self.wants_discrete = r.random() < discrete
        if self.wants_discrete and r.random() < 0.5:
            self.most = 5                                       # for the brute force of oracle.py
        self.wants_missing = r.random() < missing
        self.simple = r.random() < 0.3
        self.linear, self.nested = r.random() < 0.3, r.random() < 0.15
        self.in_python = True                                   # so far
        self.counter, self.data, self.functions, self.latents, self.outer = 0, {}, [], [], []
        self.unseen, self.read, self.observed = set(), set(), []
        self.configurations, self.fancy, self.work = 1, 0, 1
        self.top_plates = []
        self.make()

    # -- Names and data --

    def fresh(self, stem):
        self.counter += 1
        return f'{stem}{self.counter}'

    def length(self, most=None):
        r = self.r
        n = r.choice(LONG) if r.random() < self.long else min(r.choice(LENGTHS), self.most)
        return min(n, most) if most is not None else n

    def real(self, scale=1.0):
        return round(self.r.gauss(0, scale), 3)

    def datum(self, name, sizes, draw):
        def fill(s):
            return draw() if not s else [fill(s[1:]) for _ in range(s[0])]
        self.data[name] = fill(sizes)
        return name

    # -- Expressions --

    def number(self, sc, depth=2):
        r = self.r
        if depth <= 0 or r.random() < 0.25:
            return self.leaf(sc)
        if sc.vectors and r.random() < 0.2:
            return self.of_vector(sc)
        k = r.random()
        if k < 0.35:
            return op(self.number(sc, depth - 1), r.choice('+-*'), self.number(sc, depth - 1))
        if k < 0.42:
            return op(self.number(sc, depth - 1), '/', self.positive(sc, depth - 1))
        if k < 0.62:
            return call(r.choice(['tanh', 'sin', 'sigmoid', 'cos', 'tanh', 'softplus', 'atan', 'erf']), self.number(sc, depth - 1))
        if k < 0.68:
            return choose(self.condition(sc), self.number(sc, depth - 1), self.number(sc, depth - 1))
        if k < 0.72:
            return call('where', self.condition(sc), self.number(sc, depth - 1), self.number(sc, depth - 1))
        if k < 0.76:
            return op(call('tanh', self.number(sc, depth - 1)), '^', Text(r.choice(['2', '3'])))
        if k < 0.80:
            return call('log', self.positive(sc, depth - 1))
        if k < 0.84:
            return call(r.choice(['min', 'max']), self.number(sc, depth - 1), self.number(sc, depth - 1))
        if k < 0.87:
            return Text(*(f'(-{x})' for x in vars(self.number(sc, depth - 1)).values()))
        if k < 0.93 and self.functions:
            f, n = r.choice(self.functions)
            return call(f, *[self.number(sc, depth - 1) for _ in range(n)])
        if k < 0.97:
            n = r.choice([2, 3, 8])
            a = [self.leaf(sc) for _ in range(n)]
            f = r.choice(['sum', 'logsumexp', 'mean'])
            return Text(f'{f}([{", ".join(x.p for x in a)}])', f'{f}_({", ".join(x.q for x in a)})')
        return self.leaf(sc)

    def of_vector(self, sc):
        r = self.r
        self.in_python = False
        v, n = r.choice(sc.vectors)
        same = [w for w, size in sc.vectors if size == n]
        k = r.randint(1, n)
        return Text(r.choice([f'{v}[{k}]', f'sum({v} * {r.choice(same)})', f'max({v})', f'logsumexp({v})', f'softmax({v})[{k}]', f'cumsum({v})[{k}]',
                              f'sort({v})[{k}]', f'mean({v})', f'dot({v}, {r.choice(same)})', f'tanh(norm({v} + 0.1))', f'sum(where({v} > 0.1, {v}, 0.5))',
                              f'sum(tanh(outer({v}, {r.choice(same)})))', f'var({v})', f'rev({v})[{k}]', f'{v}[1..{k}][{k}]', f'prod({v})', f'sum(tanh({v}[[{k}, 1]]))']))

    def vector(self, sc, n):
        """Some vector of n numbers."""
        r = self.r
        have = [v for v, size in sc.vectors if size == n]
        ways = [f'[{", ".join(self.bounded(sc, 1).p for _ in range(n))}]']
        if have:
            v = r.choice(have)
            ways += [f'tanh({v} + {self.bounded(sc, 1).p})', f'({v} * {r.choice(have)})', f'sin({v} - {r.choice(have)})', f'softmax({v})', f'cumsum({v})']
        fits = [(m, k) for m, rows, k in sc.matrices if rows == n and any(size == k for _, size in sc.vectors)]
        for m, k in fits[-2:]:
            ways += [f'{m} @ {r.choice([v for v, size in sc.vectors if size == k])}'] * 2
        square = [m for m, rows, k in sc.matrices if rows == k == n and m[0] == 'A']
        if square and have:
            a = r.choice(square)
            ways += [f'solve({a}, {r.choice(have)})', f'tri_solve(cholesky({a}), {r.choice(have)})', f'inverse({a}) @ {r.choice(have)}', f'({r.choice(have)} @ {a})']
        return r.choice(ways)

    def algebra(self, sc):
        """Matrices, some of them latents, and what is made of them."""
        r, out = self.r, []
        self.in_python = False
        n, k = r.choice([1, 2, 3, 5, 8, 9]), r.choice([2, 3, 7])
        name = self.fresh('W')
        out.append(self.latent(sc, name, [], [], ('Normal', [lit(0.0), self.positive(sc)], 'matrix'), size=f'{n}, {k}'))
        sc.matrices.append((name, n, k))
        a = self.fresh('A')
        out.append(('set', Text(a), Text(f'eye({n}) + 0.1 * {name} @ t({name})')))
        sc.matrices.append((a, n, n))
        data = self.datum(self.fresh('D'), [k], self.real)
        sc.vectors.append((data, k))
        for _ in range(r.choice([1, 2, 3])):
            v = self.fresh('V')
            out.append(('set', Text(v), Text(self.vector(sc, n))))
            sc.vectors.append((v, n))
        for e in (f'log_det({a})', f'trace({a} @ {a})', f'sum(tanh({name}))', f'inv_quad({a}, {sc.vectors[-1][0]})', f'sum({name}[1] * {data})', f'log_det({a})'):
            if r.random() < 0.4:
                sc.numbers.append((Text(f'tanh({e})'), 'real'))
        if r.random() < 0.6:
            y = self.datum(self.fresh('y'), [n], self.real)
            how = r.choice([f'cholesky = cholesky({a})', f'cov = {a}', f'precision = {a}'])
            out.append(('raw', f'{y} ~ MultivariateNormal({self.vector(sc, n)}, {how})'))
        return out

    def leaf(self, sc):
        r = self.r
        k = r.random()
        if k < 0.15 or not (sc.numbers or sc.arrays):
            return lit(self.real())
        if k < 0.55 and sc.numbers:
            return r.choice(sc.numbers[-6:] if r.random() < 0.6 else sc.numbers)[0]
        if k < 0.62 and sc.steps:
            name, lo, hi, _ = r.choice(sc.steps)
            return Text(f'({name} / {max(hi, 1) * 1.0})')
        if k < 0.72 and sc.discrete:
            return self.of_discrete(sc)
        if sc.arrays:
            return self.read_array(sc) or lit(self.real())
        return lit(self.real())

    def of_discrete(self, sc):
        r = self.r
        z, lo, hi = r.choice(sc.discrete[-3:])
        if r.random() < 0.25:
            return z
        if r.random() < 0.25:
            return choose(op(z, r.choice(['==', '>']), Text(str(r.randint(lo, hi)))), self.leaf(sc), lit(self.real()))
        name = self.datum(self.fresh('c'), [hi - lo + 1], self.real)
        return at(name, z if lo == 1 else op(z, '+', Text(str(1 - lo))))

    def read_array(self, sc):
        """An element, in one of the ways in which it is sure to be there; a sum."""
        r = self.r
        a = r.choice(sc.arrays[-5:] if r.random() < 0.7 else sc.arrays)
        if any(s == 0 for s in a.sizes):
            return None
        if a.name in self.data:
            self.read.add(a.name)
        if a.element is None and r.random() < 0.15 and max(a.sizes) <= 40:
            f = r.choice(['sum', 'mean'])
            n = 1
            for s in a.sizes:
                n *= s
            return Text(f'{f}({a.name})', f'{f}a({a.name})') if f == 'mean' else op(Text(f'sum({a.name})', f'suma({a.name})'), '/', lit(float(n)))
        index = []
        for d, size in enumerate(a.sizes):
            steps = [s for s in sc.steps if s[1] >= 1 and s[2] <= size and s[2] >= s[1]]
            if steps and r.random() < 0.75:
                name, lo, hi, kind = r.choice(steps)
                lag = r.choice([0, 0, 1, 2]) if kind == 'for' else 0
                gathers = kind == 'plate' and r.random() < 0.3
                if gathers:
                    index.append(self.gather(name, hi, size))
                elif lag and lo - lag >= 1:
                    index.append(Text(f'{name} - {lag}'))
                else:
                    index.append(Text(name))
            elif sc.steps and r.random() < 0.4:
                name, lo, hi, _ = r.choice(sc.steps)
                index.append(self.gather(name, hi, size) if hi >= 1 else Text(str(r.randint(1, size))))
            else:
                index.append(Text(str(r.randint(1, size))))
        return at(a.name, *index)

    def gather(self, name, hi, size):
        known = [d for d, v in self.data.items() if d[0] == 'g' and len(v) >= hi and max(v, default=1) <= size]
        g = self.r.choice(known) if known and self.r.random() < 0.5 else self.datum(self.fresh('g'), [max(hi, 1)], lambda: self.r.randint(1, size))
        return at(g, Text(name))

    def positive(self, sc, depth=1):
        r = self.r
        have = [t for t, kind in sc.numbers if kind in ('positive', 'unit')]
        k = r.random()
        if k < 0.3 and have:
            return op(lit(0.3), '+', r.choice(have))
        if k < 0.45:
            return lit(round(r.uniform(0.3, 2), 2))
        e = self.number(sc, depth)
        if k < 0.65:
            return call('exp', op(lit(0.4), '*', call('tanh', e)))
        if k < 0.8:
            return op(lit(0.2), '+', call('softplus', e))
        return call('sqrt', op(lit(0.3), '+', op(call('tanh', e), '^', Text('2'))))

    def unit(self, sc, depth=1):
        return op(lit(0.05), '+', op(lit(0.9), '*', call('sigmoid', self.number(sc, depth))))

    def condition(self, sc):
        r = self.r
        k = r.random()
        if k < 0.45 and sc.steps:
            name, lo, hi, _ = r.choice(sc.steps)
            middle = r.randint(lo, max(hi, lo))
            return r.choice([Text(f'{name} > {middle}'), Text(f'{name} == {middle}'), Text(f'{name} % 2 == 0')])
        data = [a for a in sc.arrays if a.name in self.data and 0 not in a.sizes]
        if k < 0.8 and data:
            s = Scope(sc)
            s.arrays = data
            return op(self.read_array(s), '>', lit(self.real(0.5)))
        if r.random() < 0.5 and self.wants_discrete and sc.discrete:
            z, lo, hi = r.choice(sc.discrete)
            return op(z, '==', Text(str(r.randint(lo, hi))))
        return op(self.leaf(sc), r.choice(['<', '>']), self.leaf(sc))

    def bounded(self, sc, depth=2):
        e = self.number(sc, depth)
        return e if self.r.random() < 0.4 else call('tanh', e)

    # -- Distributions: (family, arguments, support) --

    def continuous(self, sc, depth=2, positive=None):
        r = self.r
        k = r.random() if positive is None else (0.75 + 0.2 * r.random() if positive else 0.6 * r.random())
        if k < 0.42 or self.simple and k < 0.7:
            return 'Normal', [self.bounded(sc, depth), self.positive(sc)], 'real'
        if k < 0.48:
            return 'StudentT', [lit(5.0), self.bounded(sc, depth), self.positive(sc)], 'real'
        if k < 0.53:
            return 'Logistic', [self.bounded(sc, depth), self.positive(sc)], 'real'
        if k < 0.57:
            return 'Laplace', [self.bounded(sc, depth), self.positive(sc)], 'real'
        if k < 0.60:
            return 'Gumbel', [self.bounded(sc, depth), self.positive(sc)], 'real'
        if k < 0.70:
            return 'Beta', [self.positive(sc), self.positive(sc)], 'unit'
        if k < 0.80:
            return 'LogNormal', [self.bounded(sc, depth), self.positive(sc)], 'positive'
        if k < 0.88:
            return 'Gamma', [self.positive(sc), self.positive(sc)], 'positive'
        if k < 0.92:
            return 'Exponential', [self.positive(sc)], 'positive'
        if k < 0.96:
            return 'HalfNormal', [self.positive(sc)], 'positive'
        return 'Weibull', [op(lit(0.5), '+', self.positive(sc)), self.positive(sc)], 'positive'

    def observed_dist(self, sc, depth=2):
        r = self.r
        k = r.random()
        if k < 0.65:
            return self.continuous(sc, depth)
        if k < 0.78:
            return ('Bernoulli', [self.unit(sc, depth)], 'bit') if r.random() < 0.5 else ('Bernoulli(logits', [self.bounded(sc, depth)], 'bit')
        if k < 0.9:
            return 'Poisson', [self.positive(sc, depth)], 'count'
        return 'Binomial', [Text('5'), self.unit(sc, depth)], 'count'

    def drawn(self, support):
        r = self.r
        return {'real': lambda: self.real(), 'positive': lambda: round(r.uniform(0.2, 2.5), 3), 'unit': lambda: round(r.uniform(0.1, 0.9), 3),
                'bit': lambda: r.randint(0, 1), 'count': lambda: r.randint(0, 5)}[support]

    # -- Statements --

    def latent(self, sc, name, indices, around, dist, levels=None, size=0):
        support = dist[2]
        one = Latent(name, indices, support, list(around), size, levels)
        self.latents.append(one)
        return ('sample', at(name, *indices) if indices else Text(name), dist, one)

    def observe(self, sc, around, lows=None):
        """An observation under all indices around."""
        name = self.fresh('y')
        dist = self.observed_dist(sc)
        sizes = [s[2] for s in around]
        extra = self.r.choice([0, 0, 0, 1]) if sizes else 0
        self.datum(name, [sizes[0] + extra] + sizes[1:] if sizes else [], self.drawn(dist[2]))
        self.observed.append((name, sizes))
        if self.wants_missing and sizes and self.r.random() < 0.5:
            self.unseen.add(name)
        if sizes and dist[2] in ('real', 'positive', 'unit'):
            sc.arrays.append(Array(name, sizes, dist[2]))
        return ('sample', at(name, *[Text(s[0]) for s in around]) if around else Text(name), dist, None)

    def discrete_latent(self, sc, around, chained=None):
        """In a plate or loop, or alone; `chained`: the number of values, and the text of the one before."""
        r = self.r
        name = self.fresh('z')
        k = chained[0] if chained else r.choice([0, 2, 2, 3, 4])
        n = 1
        for s in around:
            n *= max(s[2], 1)
        self.configurations *= max(2, k) ** min(n, 60)
        before = chained[1] if chained else None
        if k == 0:
            p = self.unit(sc, 1) if before is None else op(lit(0.1), '+', op(lit(0.8), '*', call('sigmoid', op(before, '-', self.bounded(sc, 1)))))
            dist = ('Bernoulli', [p], 'discrete')
            lo, hi = 0, 1
        else:
            rows = [[r.uniform(0.2, 1) for _ in range(k)] for _ in range(k)]
            table = [[round(v / sum(row), 6) for v in row] for row in rows]
            for row in table:
                row[-1] = 1 - sum(row[:-1])
            dirichlets = [a for a in sc.arrays if a.kind == 'simplex' and a.sizes == [k]]
            if before is not None:
                t = self.fresh('P')
                self.data[t] = table
                p = Text(f'{t}[{before.p}]', f'row({t}, {before.q})')
            elif dirichlets and r.random() < 0.7:
                p = Text(r.choice(dirichlets).name)
            elif r.random() < 0.5:
                e = [self.bounded(sc, 1) for _ in range(k)]
                p = Text(f'softmax([{", ".join(x.p for x in e)}])', f'softmax_({", ".join(x.q for x in e)})')
            else:
                p = Text(json.dumps(table[0]), 'vector(' + json.dumps(table[0]) + ')')
            dist = ('Categorical', [p], 'discrete')
            lo, hi = 1, k
        s = self.latent(sc, name, [Text(x[0]) for x in around], around, dist, levels=(lo, hi))
        return s, name, (lo, hi), k

    def globals(self, sc):
        r, out = self.r, []
        for _ in range(r.choice([1, 2, 2, 3])):
            name = self.fresh('a')
            dist = self.continuous(sc, 1)
            out.append(self.latent(sc, name, [], [], dist))
            sc.numbers.append((Text(name), dist[2]))
        if r.random() < 0.25:
            name, k = self.fresh('w'), r.choice([2, 3])
            out.append(self.latent(sc, name, [], [], ('Dirichlet', [Text(json.dumps([2.0] * k), f'vector({[2.0] * k})')], 'simplex'), size=k))
            sc.arrays.append(Array(name, [k], 'simplex'))
        if r.random() < 0.25:
            name, k = self.fresh('v'), r.choice([2, 3, 8])
            out.append(self.latent(sc, name, [], [], ('Normal', [self.bounded(sc, 1), self.positive(sc)], 'vector'), size=k))
            sc.arrays.append(Array(name, [k]))
        if r.random() < 0.15:
            name, k = self.fresh('v'), r.choice([2, 3])
            out.append(self.latent(sc, name, [], [], ('MultivariateNormal', self.multivariate(sc, k), 'vector'), size=k))
            sc.arrays.append(Array(name, [k]))
        return out

    def multivariate(self, sc, k):
        loc = [self.bounded(sc, 1) for _ in range(k)]
        rho, scale = self.unit(sc, 1), self.positive(sc)
        text = Text(f'[{", ".join(x.p for x in loc)}]', f'vector([{", ".join(x.q for x in loc)}])')
        cov = Text(f'({scale.p} * ((1 - {rho.p}) * eye({k}) + {rho.p} * ones({k}, {k})))', f'{scale.q}, {rho.q}')
        return [text, cov]

    def plate(self, sc, around, depth=0):
        r = self.r
        n = self.length(most=40 if around else None)
        if around:
            n = max(1, min(n, r.choice([1, 2, 3, 8])))
        step = (self.fresh('i'), 1, n, 'plate')
        inner = Scope(sc)
        inner.steps.append(step)
        here = around + [step]
        self.fancy += 1
        body, kept = [], []
        later = any(s[3] == 'for' and s[1] > 1 for s in around) # arrays begin at 1
        covariate = self.datum(self.fresh('x'), [n], self.real)
        for scope in (inner, sc):
            scope.arrays.append(Array(covariate, [n]))
        for _ in range(r.choice([1, 2, 3])):
            k = r.random()
            if later and k < 0.82:
                k = 0.9
            if k < 0.3:
                name = self.fresh('b')
                dist = self.continuous(inner)
                body.append(self.latent(inner, name, [Text(s[0]) for s in here], here, dist))
                inner.numbers.append((at(name, *[Text(s[0]) for s in here]), dist[2]))
                kept.append(Array(name, [s[2] for s in here], dist[2]))
            elif k < 0.4 and not around:
                name, size = self.fresh('u'), r.choice([2, 3])
                index = [Text(s[0]) for s in here]
                dist = r.choice([('MultivariateNormal', self.multivariate(inner, size), 'vector'), ('Normal', [self.bounded(inner, 1), self.positive(inner)], 'vector')])
                body.append(self.latent(inner, name, index, here, dist, size=size))
                for j in range(1, size + 1):
                    inner.numbers.append((at(name, *index, Text(str(j))), 'real'))
            elif k < 0.55:
                name = self.fresh('e')
                if r.random() < 0.5:
                    body.append(('set', Text(name), self.bounded(inner)))
                    inner.numbers.append((Text(name), 'real'))
                else:
                    target = at(name, *[Text(s[0]) for s in here])
                    body.append((r.choice(['set', 'set', 'record']), target, self.bounded(inner)))
                    inner.numbers.append((target, 'real'))
                    if n and len(here) == 1:
                        kept.append(Array(name, [n]))
            elif k < 0.60 and sc.vectors:
                name, (_, n_) = self.fresh('V'), r.choice(sc.vectors)
                self.in_python = False
                if r.random() < 0.6:
                    x = self.datum(self.fresh('X'), [n, n_], self.real)
                    inner.vectors.append((f'{x}[{step[0]}]', n_))
                body.append(('set', Text(name), Text(self.vector(inner, n_))))
                inner.vectors.append((name, n_))
            elif k < 0.68 and self.wants_discrete:
                s, name, levels, _ = self.discrete_latent(inner, here)
                body.append(s)
                inner.discrete.append((at(name, *[Text(x[0]) for x in here]), *levels))
            elif k < 0.76 and depth < 2:
                body += self.plate(inner, here, depth + 1)
            elif k < 0.82 and depth < 1 and n <= 40:
                body += self.loop(inner, here, depth + 1)
            elif k < 0.9:
                body.append(self.branch(inner, here))
            else:
                body.append(('factor', op(lit(-0.1), '*', op(self.bounded(inner), '^', Text('2')))))
        body.append(self.observe(inner, here))
        if r.random() < 0.2:
            body.append(self.observe(inner, here))
        kept += [a for a in inner.arrays if a.name[0] == 'y' and a not in sc.arrays]
        if not around: # inside, the others are not there yet
            sc.arrays += [a for a in kept if len(a.sizes) <= 2]
            self.top_plates.append(step)
        return [('plate', step, body)]

    def branch(self, sc, around):
        a, b = Scope(sc), Scope(sc)
        c = self.condition(sc)
        if self.r.random() < 0.5:
            name = self.fresh('e')
            s = ('if', c, [('set', Text(name), self.bounded(a))], [('set', Text(name), self.bounded(b))])
            sc.numbers.append((Text(name), 'real'))
            return s
        return ('if', c, [('factor', op(lit(-0.1), '*', op(self.bounded(a), '^', Text('2'))))], [('factor', call('tanh', self.bounded(b)))] if self.r.random() < 0.5 else [])

    def loop(self, sc, around, depth=0):
        r = self.r
        T = self.length(most=40 if around else None)
        if r.random() < 0.7:
            T = max(T, min(self.most, r.choice([4, 5, 7, 8, 9, 16])))
        lag = r.choice([0, 1, 1, 1, 2])
        lo = lag + 1
        step = (self.fresh('t'), lo, T, 'for')
        out, body, late = [], [], []
        inner = Scope(sc)
        inner.steps.append(step)
        here = around + [step]
        prefix = [Text(s[0]) for s in around]
        now = lambda name: at(name, *prefix, Text(step[0]))
        back = lambda name, k: at(name, *prefix, Text(f'{step[0]} - {k}'))
        first = lambda name, k: at(name, *prefix, Text(str(k)))
        self.fancy += 1
        carried, plain = [], sc
        y = None
        if lag and r.random() < 0.6: # data of earlier steps
            y = self.datum(self.fresh('x'), [T], self.real)
            inner.numbers.append((Text(f'{y}[{step[0]} - {r.randint(1, lag)}]'), 'real'))
        if T >= 1:
            x = self.datum(self.fresh('x'), [T], self.real)
            inner.numbers.append((Text(f'{x}[{step[0]}]'), 'real'))
        for _ in range(r.choice([1, 1, 2, 2, 3])): # what is carried
            k = r.random()
            if k < 0.45:
                name, kind = self.fresh('s'), r.choice(['real', 'positive'])
                out.append(('set', Text(name), self.positive(sc) if kind == 'positive' else self.bounded(sc, 1) if r.random() < 0.7 else lit(r.choice([0, 1, 0.5]))))
                carried.append((Text(name), Text(name), kind))
                inner.numbers.append((Text(name), kind))
                if T >= lo:
                    late.append((Text(name), kind))
            elif k < 0.66 and lag:
                name, kind = self.fresh('v'), r.choice(['real', 'positive'])
                for j in range(1, lo):
                    out.append(('set', first(name, j), self.positive(sc) if kind == 'positive' else self.bounded(sc, 1) if r.random() < 0.7 else lit(0.5)))
                carried.append((now(name), back(name, r.randint(1, lag)), kind))
                for j in range(1, lag + 1):
                    inner.numbers.append((back(name, j), kind))
                if not around and T >= lo:
                    late.append((first(name, r.randint(1, T)), kind))
            elif k < 0.85:
                name = self.fresh('l')
                dist = self.continuous(sc, 1) if lag else None
                for j in range(1, lo):
                    out.append(self.latent(sc, name, prefix + [Text(str(j))], around, dist))
                positive = dist and dist[2] != 'real'
                for j in range(1, lag + 1):
                    inner.numbers.append((back(name, j), dist[2]))
                carried.append((name, dist, positive))
                if T >= lo and not around:
                    late.append((first(name, r.randint(1, T)), 'real'))
            elif k < 0.93 and sc.vectors:
                name, (_, n_) = self.fresh('V'), r.choice(sc.vectors)
                self.in_python = False
                out.append(('set', Text(name), Text(self.vector(sc, n_))))
                inner.vectors.append((name, n_))
                carried.append((name, n_, 'vector', None))
            elif k < 0.95:
                name, size = self.fresh('h'), r.choice([2, 3])
                e = [self.bounded(sc, 1) for _ in range(size)]
                out.append(('set', Text(name), Text(f'[{", ".join(x.p for x in e)}]', f'vector([{", ".join(x.q for x in e)}])')))
                carried.append((name, size))
                inner.numbers.append((at(name, Text(str(r.randint(1, size)))), 'real'))
                if T >= lo:
                    late.append((at(name, Text('1')), 'real'))
        chain = None
        if self.wants_discrete and r.random() < 0.6 and not (around and around[0][2] > 8):
            s, name, levels, k = self.discrete_latent(sc, [])
            self.latents.pop()
            chain = (name, levels, k)
            if lag:
                for j in range(1, lo):
                    dist = s[2]
                    out.append(self.latent(sc, name, prefix + [Text(str(j))], around, dist, levels=levels))
                inner.discrete.append((back(name, 1), *levels))
            self.configurations *= max(2, k) ** min(60, max(T * max([s[2] for s in around] + [1]) - 1, 0))
        before_body = len(inner.numbers)
        r.shuffle(carried)
        written = []
        for c in carried: # statements of the body
            if len(c) == 4:
                written.append(('set', Text(c[0]), Text(f'tanh({self.vector(inner, c[1])} + 0.5 * {c[0]})')))
            elif len(c) == 3 and isinstance(c[0], Text):
                target, old, kind = c
                e = self.carried_step(inner, old, kind)
                if r.random() < 0.12:
                    other = self.carried_step(inner, old, kind)
                    written.append(('if', self.condition(inner), [('set', target, e)], [('set', target, other)]))
                else:
                    written.append(('set', target, e))
                if target.p != old.p:
                    written[-1] = written[-1] if r.random() < 0.8 or written[-1][0] == 'if' else ('record', *written[-1][1:])
                    inner.numbers.append((target, kind))
            elif len(c) == 3:
                name, dist, positive = c
                d = self.continuous(inner, 2, positive)
                if dist and d[2] != dist[2]:
                    d = {'real': ('Normal', [self.bounded(inner), self.positive(inner)], 'real'), 'unit': ('Beta', [self.positive(inner), self.positive(inner)], 'unit'),
                         'positive': ('LogNormal', [self.bounded(inner), self.positive(inner)], 'positive')}[dist[2]]
                written.append(self.latent(inner, name, prefix + [Text(step[0])], here, d))
                inner.numbers.append((now(name), d[2]))
            else:
                name, size = c
                e = [self.bounded(inner, 1) for _ in range(size)]
                old = Text(name)
                if r.random() < 0.5:
                    p, q = f'tanh(0.5 * {name} + {e[0].p})', f'dict((k, tanh(0.5 * x + {e[0].q})) for k, x in {name}.items())'
                else:
                    p, q = f'0.5 * {name} + [{", ".join(x.p for x in e)}]', f'plus({name}, vector([{", ".join(x.q for x in e)}]))'
                written.append(('set', old, Text(p, q)))
        if chain:
            name, levels, k = chain
            if lag:
                s = self.chain_step(inner, name, levels, k, prefix + [Text(step[0])], here, back(name, 1))
            else:
                s = self.chain_step(inner, name, levels, k, prefix + [Text(step[0])], here, None)
            written.insert(r.randint(0, len(written)), s)
            inner.discrete.append((now(name), *levels))
            # what stands before must not read the new state
            where = written.index(s)
            written = [s] + written[:where] + written[where + 1:]
        observed = self.observe(inner, here)
        if r.random() < 0.3 and not chain:
            written.insert(0, self.early(inner, sc, here, before_body, observed))
        else:
            written.append(observed)
        if r.random() < 0.2:
            written.append(('factor', op(lit(-0.1), '*', op(self.bounded(inner), '^', Text('2')))))
        if r.random() < 0.15:
            written.append(self.branch(inner, here))
        if r.random() < 0.15 and lo == 1:
            written.append(('record', at(self.fresh('q'), *prefix, Text(step[0])), self.bounded(inner)))
        if r.random() < 0.15 and depth < 1 and T <= 40:
            written += self.plate(inner, here, depth + 1)
        if r.random() < 0.08 and not around and T <= 40 and T >= lo:
            name, j = self.fresh('n'), self.fresh('j')
            s = Scope(inner)
            s.steps.append((j, 1, 3, 'for'))
            s.numbers.append((Text(name), 'real'))
            written += [('set', Text(name), lit(0.1)), ('for', (j, 1, 3, 'for'), [('set', Text(name), call('tanh', op(Text(name), '+', self.bounded(s))))]),
                        ('factor', Text(name))]
        out.append(('for', step, written))
        sc.numbers += late
        return out

    def early(self, inner, sc, here, known, observed):
        """What only reads what a step finds."""
        return observed if False else ('factor', op(lit(-0.1), '*', op(self.bounded(self.only(inner, known)), '^', Text('2')))) if self.r.random() < 0.5 else self.early_observed(inner, here, known, observed)

    def only(self, inner, known):
        s = Scope(inner)
        s.numbers = s.numbers[:known]
        s.arrays = [a for a in s.arrays if a.name[0] != 'y']
        return s

    def early_observed(self, inner, here, known, observed):
        name = observed[1].p.split('[')[0]
        support = observed[2][2]
        s = self.only(inner, known)
        if support == 'real':
            return ('sample', observed[1], ('Normal', [self.bounded(s), self.positive(s)], 'real'), None)
        return ('factor', call('tanh', self.bounded(s)))

    def chain_step(self, sc, name, levels, k, indices, here, before):
        r = self.r
        if k == 0:
            p = self.unit(sc, 1) if before is None or r.random() < 0.1 else op(lit(0.1), '+', op(lit(0.8), '*', call('sigmoid', op(op(before, '*', lit(1.5)), '-', self.bounded(sc, 1)))))
            return self.latent(sc, name, indices, here, ('Bernoulli', [p], 'discrete'), levels=levels)
        rows = [[r.uniform(0.2, 1) for _ in range(k)] for _ in range(k)]
        table = [[round(v / sum(row), 6) for v in row] for row in rows]
        for row in table:
            row[-1] = 1 - sum(row[:-1])
        t = self.fresh('P')
        self.data[t] = table
        i = before if before is not None else Text(str(r.randint(1, k)))
        if r.random() < 0.3:
            e = self.bounded(sc, 1)
            p = Text(f'softmax(log({t}[{i.p}]) + {e.p} * {json.dumps([self.real() for _ in range(k)])})', None)
            numbers = p.p[p.p.rindex('['):-1]
            p.q = f'tilt(row({t}, {i.q}), {e.q}, {numbers})'
        else:
            p = Text(f'{t}[{i.p}]', f'row({t}, {i.q})')
        return self.latent(sc, name, indices, here, ('Categorical', [p], 'discrete'), levels=levels)

    def carried_step(self, sc, old, kind):
        r = self.r
        e = self.bounded(sc, 1) if r.random() < 0.8 else self.number(sc, 2)
        if kind == 'positive':
            k = r.random()
            if k < 0.4:
                return call('sqrt', op(op(lit(0.3), '+', op(lit(0.4), '*', op(old, '^', Text('2')))), '+', op(lit(0.1), '*', op(e, '^', Text('2')))))
            if k < 0.6:
                return call('exp', op(op(lit(0.5), '*', call('log', old)), '+', op(lit(0.1), '*', call('tanh', e))))
            if k < 0.8:
                return op(op(lit(0.5), '*', old), '+', self.positive(sc))
            return op(lit(0.2), '+', op(lit(0.6), '*', op(old, '/', op(lit(1.0), '+', old))))
        k = r.random()
        if k < 0.3:
            return op(op(lit(r.choice([0.5, 0.9, -0.6])), '*', old), '+', e)
        if k < 0.6:
            return call('tanh', op(op(self.leaf(sc), '*', old), '+', e))
        if k < 0.7:
            return choose(self.condition(sc), op(lit(0.5), '*', old), call('tanh', op(old, '+', e)))
        if k < 0.8:
            return call('tanh', self.number(sc, 3))
        if k < 0.87:
            return op(old, '+', op(lit(0.01), '*', call('tanh', e)))
        if k < 0.93:
            return e
        return choose(op(old, '>', lit(self.real(0.3))), op(lit(0.7), '*', old), op(op(lit(0.5), '*', old), '+', call('tanh', e)))

    def make(self):
        r = self.r
        sc = Scope()
        for _ in range(r.choice([0, 0, 1, 2])):
            self.function()
        self.body = self.globals(sc)
        if self.linear:
            self.body += self.algebra(sc)
        if self.nested:
            self.in_python = False
            name, n = self.fresh('k'), r.choice([2, 3, 8, 17])
            self.body.append(('raw', f'{name} ~ part({n}, {self.positive(sc).p})'))
            sc.arrays.append(Array(name, [n]))
        if r.random() < 0.15:
            name = self.fresh('o')
            kind = r.choice(['real', 'positive'])
            self.body.append(('param', name, kind))
            sc.numbers.append((Text(name), kind))
        for _ in range(r.choice([1, 2, 2, 3])):
            k = r.random()
            if k < 0.45:
                self.body += self.loop(sc, [])
            elif k < 0.9:
                self.body += self.plate(sc, [])
            else:
                name = self.fresh('e')
                self.body.append(('set', Text(name), self.number(sc)))
                sc.numbers.append((Text(name), 'real'))
        if r.random() < 0.6:
            self.body.append(('factor', op(lit(-0.1), '*', op(self.bounded(sc), '^', Text('2')))))
        if r.random() < 0.5:
            self.body.append(self.observe(sc, []))
        for name in self.unseen: # what the model reads elsewhere becomes a latent: not here
            if self.data[name] and name in self.read and r.random() < 0.5:
                self.in_python = False
                self.hide(self.data[name])
            elif name not in self.read and self.data[name]:
                self.hide(self.data[name])

    def hide(self, v):
        for k, x in enumerate(v):
            if isinstance(x, list):
                self.hide(x)
            elif self.r.random() < 0.3:
                v[k] = None

    def function(self):
        r, name, n = self.r, self.fresh('f'), self.r.choice([1, 2])
        sc = Scope()
        sc.numbers = [(Text(f'p{k}'), 'real') for k in range(n)]
        args = [f'p{k}' for k in range(n)]
        e = call('tanh', self.number(sc, 2))
        if r.random() < 0.3: # recursion
            a = ', '.join(['0.7 * p0 + 0.1'] + args[1:])
            depth = r.choice([1, 2, 3])
            self.functions.append((name, n))
            self.function_text = getattr(self, 'function_text', '') + \
                f'fn {name}_({", ".join(args)}, n) = if n <= 0 {{ {e.p} }} else {{ 0.5 * {name}_({a}, n - 1) + p0 }}\nfn {name}({", ".join(args)}) = {name}_({", ".join(args)}, {depth})\n'
            self.function_python = getattr(self, 'function_python', '') + \
                f'def {name}_({", ".join(args)}, n):\n    return {e.q} if n <= 0 else 0.5 * {name}_({a}, n - 1) + p0\ndef {name}({", ".join(args)}):\n    return {name}_({", ".join(args)}, {depth})\n'
        else:
            self.functions.append((name, n))
            self.function_text = getattr(self, 'function_text', '') + f'fn {name}({", ".join(args)}) {{ e = {e.p}; e * e + 0.3 * e }}\n'
            self.function_python = getattr(self, 'function_python', '') + f'def {name}({", ".join(args)}):\n    e = {e.q}\n    return e * e + 0.3 * e\n'

    # -- Texts --

    def dist_text(self, dist, latent):
        family, args, support = dist
        if family == 'Bernoulli(logits':
            return f'Bernoulli(logits = {args[0].p})'
        text = f'{family}({", ".join(a.p for a in args)})'
        return text + f'[{latent.size}]' if support in ('vector', 'matrix') and family == 'Normal' else text

    def lines(self, body, indent, over, plates):
        out = []
        pad = '    ' * indent
        for s in body:
            if s[0] == 'sample':
                out.append(f'{pad}{s[1].p} ~ {self.dist_text(s[2], s[3])}')
            elif s[0] == 'set':
                out.append(f'{pad}{s[1].p} = {s[2].p}')
            elif s[0] == 'record':
                out.append(f'{pad}{s[1].p} := {s[2].p}')
            elif s[0] == 'raw':
                out.append(pad + s[1])
            elif s[0] == 'param':
                out.append(f'{pad}param {s[1]}: {s[2]} = 0.4')
            elif s[0] == 'factor':
                out.append(f'{pad}factor({s[1].p})')
            elif s[0] == 'if':
                out.append(f'{pad}if {s[1].p} {{')
                out += self.lines(s[2], indent + 1, over, plates)
                if s[3]:
                    out.append(f'{pad}}} else {{')
                    out += self.lines(s[3], indent + 1, over, plates)
                out.append(pad + '}')
            else:
                name, lo, hi, _ = s[1]
                at_once = over if s[0] == 'for' else plates
                what = 'for' if s[0] == 'for' or not plates else 'plate'
                over_what = f'{lo}..{hi}' if at_once else f'map(i -> i, {lo}..{hi})'
                out.append(f'{pad}{what} {name} in {over_what} {{')
                out += self.lines(s[2], indent + 1, over, plates)
                out.append(pad + '}')
        return out

    def text(self, over=True, plates=True):
        """over: loops over ranges, which may run at once; plates: as plates, not as loops over a list."""
        data = [f'data {n} = {json.dumps(v).replace("null", "missing")}' for n, v in self.data.items()]
        if self.nested:
            data.append('model part(n, s) { mu ~ Normal(0, s);  plate k in 1..n { e[k] ~ Normal(mu, 1) };  e }')
        return '\n'.join(data + [getattr(self, 'function_text', '')] + ['model m {'] + self.lines(self.body, 1, over, plates) + ['}']) + '\n'

    # -- A guide --

    def guide(self, over=True, plates=True, leave=False):
        """One of the same structure; leave: discrete latents are left out (and summed)."""
        r = random.Random(f'guide {self.seed}')
        params, head = [], []
        data = [a for a in self.data if a[0] == 'x']

        def param(l, name, constraint, init):
            """The text that reads a parameter of a latent's element."""
            sizes = [s[2] for s in l.around]
            if not l.around or 0 in sizes or r.random() < 0.3:
                head.append(f'    param {name}{constraint} = {init}')
                return name
            size = ', '.join(map(str, sizes))
            of = constraint or ': real'
            head.append(f'    param {name}{of}[{size}] = {init} * ones({size})')
            return f'{name}[{", ".join(s[0] for s in l.around)}]'

        def sample(l, target):
            n = len(head)
            stem = f'{l.name}_{n}'
            if l.support == 'discrete':
                if leave:
                    return None
                lo, hi = l.levels
                if lo == 0:
                    return f'{target} ~ Bernoulli(logits = {param(l, stem + "p", "", 0.2)})'
                logits = [param(l, f'{stem}p{k}', '', round(r.gauss(0, 0.3), 2)) for k in range(hi)]
                return f'{target} ~ Categorical(softmax([{", ".join(logits)}]))'
            loc, scale = param(l, stem + 'l', '', round(r.gauss(0, 0.3), 2)), param(l, stem + 's', ': positive', 0.5)
            if l.support in ('vector', 'matrix'):
                return f'{target} ~ Normal({loc}, {scale})[{l.size}]'
            if l.support == 'simplex':
                return f'{target} ~ Dirichlet({scale} + ones({l.size}))'
            xs = [x for x in data if l.around and len(self.data[x]) >= l.around[0][2]]
            if xs and r.random() < 0.4:
                loc = f'{loc} + {param(l, stem + "c", "", 0.1)} * {r.choice(xs)}[{l.around[0][0]}]'
            steps = [s for s in l.around if s[3] == 'for' and s[1] > 1]
            if steps and r.random() < 0.4 and l.indices and l.indices[-1].p == steps[-1][0] == l.around[-1][0]:
                name, *indices = l.name, *[x.p for x in l.indices[:-1]]
                loc = f'{loc} + 0.3 * {l.name}[{", ".join(indices + [steps[-1][0] + " - 1"])}]'
            if l.support == 'real':
                return f'{target} ~ Normal({loc}, {scale})'
            if l.support == 'positive':
                return f'{target} ~ ' + (f'LogNormal({loc}, {scale})' if r.random() < 0.6 else f'Gamma(1 + {scale}, 1)')
            return f'{target} ~ Beta(1 + {scale}, 1.5)'

        def lines(body, indent):
            out, pad = [], '    ' * indent
            for s in body:
                if s[0] == 'sample' and s[3]:
                    t = sample(s[3], s[1].p)
                    out += [pad + t] if t else []
                elif s[0] in ('plate', 'for'):
                    inner = lines(s[2], indent + 1)
                    name, lo, hi, _ = s[1]
                    at_once = over if s[0] == 'for' else plates
                    what = 'for' if s[0] == 'for' or not plates else 'plate'
                    over_what = f'{lo}..{hi}' if at_once else f'map(i -> i, {lo}..{hi})'
                    if inner:
                        out += [f'{pad}{what} {name} in {over_what} {{'] + inner + [pad + '}']
            return out

        body = lines(self.body, 1)
        return '\n'.join([f'guide q for m {"with auto_normal() " if self.nested else ""}{{'] + head + body + ['}']) + '\n'

    # -- In Python --

    def python(self):
        out = ['def model(S):']

        def args(dist, latent):
            return ', '.join([repr(dist[0].replace('(logits', 'Logits')), *[a.q for a in dist[1]]])

        def lines(body, indent):
            pad = '    ' * indent
            if not body:
                out.append(pad + 'pass')
            for s in body:
                if s[0] == 'sample':
                    name, _, index = s[1].q.partition('[')
                    key = f'({index[:-1]},)' if index else '()'
                    if s[3]:
                        if index and (s[3].support not in ('vector', 'simplex')):
                            out.append(f'{pad}{s[1].q} = S.latent({name!r}, {key}, {args(s[2], s[3])})')
                        elif index:
                            out.append(f'{pad}for k, x in S.latent({name!r}, {key}, {args(s[2], s[3])}).items(): {name}[({index[:-1]}, k)] = x')
                        else:
                            out.append(f'{pad}{name} = S.latent({name!r}, (), {args(s[2], s[3])})')
                    else:
                        out.append(f'{pad}S.observed({s[1].q}, {args(s[2], None)})')
                elif s[0] in ('set', 'record'):
                    out.append(f'{pad}{s[1].q} = {s[2].q}')
                elif s[0] == 'factor':
                    out.append(f'{pad}S.factor({s[1].q})')
                elif s[0] == 'param':
                    out.append(f'{pad}{s[1]} = 0.4')
                elif s[0] == 'if':
                    out.append(f'{pad}if {s[1].q}:')
                    lines(s[2], indent + 1)
                    out.append(f'{pad}else:')
                    lines(s[3], indent + 1)
                else:
                    name, lo, hi, _ = s[1]
                    out.append(f'{pad}for {name} in range({lo}, {hi + 1}):')
                    lines(s[2], indent + 1)

        cells = set()

        def walk(body):
            for s in body:
                if s[0] in ('set', 'record') or s[0] == 'sample' and s[3]:
                    name, _, index = s[1].q.partition('[')
                    if index:
                        cells.add(name)
                for part in s[2:]:
                    if isinstance(part, list) and s[0] in ('plate', 'for', 'if'):
                        walk(part)
        walk(self.body)
        out += [f'    {c} = {{}}' for c in sorted(cells)]
        lines(self.body, 1)
        return getattr(self, 'function_python', '') + '\n'.join(out) + '\n'
