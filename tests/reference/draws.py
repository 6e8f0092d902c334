#!/usr/bin/env python3
"""Draws against what is known of their distribution.

For each family 20,000 draws with a fixed seed: mean and variance against mean() and variance() at 5 standard
errors, the empirical distribution function against cdf() (Kolmogorov and Smirnov's statistic, critical value at
1e-6), every log density finite; and the gradient of the draws by the parameters, on average, against the gradient
of mean(), or, where the draw is a quantile, draw by draw. Batches of distributions must behave like their members
one by one. With texts as arguments only the families whose text contains one of them are tested.
"""
import bisect
import math
import sys

from families import BATCHES, DRAWS, QUANTILE
from program import evaluate, flat, text

N, ERRORS, KS = 20000, 5, math.sqrt(math.log(2 / 1e-6) / 2)


def moments(x):
    n = len(x)
    m = sum(x) / n
    v = sum((a - m) ** 2 for a in x) / (n - 1)
    m4 = sum((a - m) ** 4 for a in x) / n
    return m, v, math.sqrt(v / n), math.sqrt(max(m4 - v * v, 0) / n)


def columns(numbers, n):
    k = len(numbers) // n
    return [numbers[j::k] for j in range(k)]


def optional(expressions):
    """Each on its own where together they fail: what the family does not have is None, other mistakes are raised."""
    got = evaluate(expressions)
    if not isinstance(got, str):
        return got
    out = []
    for e in expressions:
        one = evaluate([e])
        if isinstance(one, str) and "closed form" not in one:
            raise ValueError("%s: %s" % (e, one))
        out.append(None if isinstance(one, str) else one[0])
    return out


def check_moments(name, x, mean, variance):
    wrong = []
    for j, column in enumerate(columns(x, N)):
        m, v, m_error, v_error = moments(column)
        if mean and math.isfinite(mean[j]) and abs(m - mean[j]) > ERRORS * m_error + 1e-12:
            wrong.append("mean %d of %s is %g +- %g, not %g" % (j, name, m, m_error, mean[j]))
        if variance and math.isfinite(variance[j]) and abs(v - variance[j]) > ERRORS * v_error + 1e-12:
            wrong.append("variance %d of %s is %g +- %g, not %g" % (j, name, v, v_error, variance[j]))
    return wrong


def check_cdf(name, d, x):
    points = sorted(x)
    places = points[:: N // 200]
    got = optional(["cdf(%s, %s)" % (d, text(places))])[0]
    if got is None:
        return None
    worst = max(abs(bisect.bisect_right(points, p) / N - c) for p, c in zip(places, got))
    return ["the distribution function of %s is off by %g" % (name, worst)] if worst > KS / math.sqrt(N) else []


def check_gradient(name, template, params):
    """Per draw: copies of the parameters, the gradient of sum(draw) by each copy."""
    wrong = []
    for p, value in params.items():
        fixed = {k: text(v) for k, v in params.items()}
        one = template.format(**dict(fixed, **{p: "v"}))
        many = "grad(v -> sum(draw(%s)), stack_copies(%s))" % (one, text(value))
        exact = "grad(v -> sum(mean(%s)), %s)" % (one, text(value))
        got = evaluate([many, exact], setup="fn stack_copies(v) = if len(shape(v)) == 0 { full(v, %d) } else "
                       "{ reshape(full(1, %d), concat([%d], full(1, len(shape(v))))) * v }" % (N, N, N))
        if isinstance(got, str):
            wrong.append("the gradient of draws of %s by %s: %s" % (name, p, got))
            continue
        for j, (column, want) in enumerate(zip(columns(got[0], N), got[1])):
            m, _, error, _ = moments(column)
            if abs(m - want) > ERRORS * error + 1e-8:
                wrong.append("d mean / d %s (%d) of %s is %g +- %g by draws, %g exactly" % (p, j, name, m, error, want))
    return wrong


def check_family(template, params):
    d = template.format(**{k: text(v) for k, v in params.items()})
    setup = "d = %s\nx = draw(d[%d])" % (d, N)
    got = evaluate(["x", "logpdf(d, x)"], setup=setup)
    if isinstance(got, str):
        return 1, ["draws of %s: %s" % (d, got)]
    x, log_density = got
    mean, variance = optional(["mean(%s)" % d, "variance(%s)" % d]) if not d.startswith("VonMises") else (None, None)
    wrong = check_moments(d, x, mean, variance)
    tests = 2 + (mean is not None) + (variance is not None)
    if not all(math.isfinite(v) for v in log_density) and not d.startswith("Delta"):
        bad = [k for k, v in enumerate(log_density) if not math.isfinite(v)]
        wrong.append("%d log densities of draws of %s are not finite; the first at draw %d" % (len(bad), d, bad[0]))
    if len(x) == N and not d.startswith("Delta"):
        wrong += check_cdf(d, d, x) or []
    if params:
        tests += len(params)
        wrong += check_gradient(d, template, params)
    return tests, wrong


def check_quantile(template, params):
    """d cdf(d, draw(d)) = 0, in all, for every single draw."""
    wrong = []
    for p, value in params.items():
        d = template.format(**dict({k: text(v) for k, v in params.items()}, **{p: "v"}))
        got = evaluate(["grad(v -> sum(cdf(%s, draw(%s))), full(%s, 500))" % (d, d, text(value))])
        if isinstance(got, str):
            wrong.append("the derivative of quantiles of %s by %s: %s" % (template, p, got))
        elif not all(abs(g) < 1e-6 for g in got[0]):
            wrong.append("draws of %s leave their quantile with %s: %g" % (template, p, max(got[0], key=abs)))
    return len(params), wrong


def check_batch(template, row):
    """logpdf of the batch, of each member, and the shape and finiteness of draws."""
    params, x = row
    d = template.format(**{k: text(v) for k, v in params.items()})
    one_by_one = [template.format(**{k: text(v[j]) for k, v in params.items()}) for j in range(len(x))]
    got = evaluate(["logpdf(%s, %s)" % (d, text(x)), "draw(%s)" % d] +
                   ["logpdf(%s, %s)" % (one, text(v)) for one, v in zip(one_by_one, x)])
    if isinstance(got, str):
        return 1, ["the batch %s: %s" % (d, got)]
    wrong = []
    batch, drawn, single = got[0], got[1], [g[0] for g in got[2:]]
    if len(batch) != len(single) or not all(abs(a - b) <= 1e-12 * (1 + abs(b)) for a, b in zip(batch, single)):
        wrong.append("the batch %s has the log densities %s, one by one they are %s" % (d, batch, single))
    if len(drawn) != len(flat(x)) or not all(math.isfinite(v) for v in drawn):
        wrong.append("draws of the batch %s are %s" % (d, drawn))
    return 2, wrong


def main(names):
    passed = failed = 0
    tables = ((check_family, DRAWS), (check_quantile, QUANTILE), (check_batch, BATCHES))
    rows = [(check, t, row) for check, table in tables
            for t, row in table.items() if not names or any(n in t for n in names)]
    for check, template, row in rows:
        try:
            tests, wrong = check(template, row)
        except ValueError as e:
            tests, wrong = 1, [str(e)]
        for line in wrong:
            print(line)
        failed += len(wrong)
        passed += max(tests - len(wrong), 0)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
