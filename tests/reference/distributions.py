#!/usr/bin/env python3
"""Log densities, gradients, distribution functions, moments and divergences against high-precision tables.

The tables (25 digits, made with mpmath) lie beside the project; where they are absent the test is skipped and says
so. With names as arguments only those tables are tested.
"""
import json
import math
import os
import sys

from families import ABSENT, REFERENCE
from program import ROOT, evaluate, flat, text

TABLES = os.path.join(os.path.dirname(ROOT), "shared", "reference", "distributions")
VALUE, GRADIENT = 1e-10, 1e-8 # relative; what is small is compared to 1e-5 of these

FUNCTIONS = {"log_prob": "logpdf", "cdf": "cdf", "sf": "sf", "log_cdf": "log_cdf", "log_sf": "log_sf"}
MOMENTS = {"mean": "mean", "variance": "variance", "entropy": "entropy",
           "circular_mean": "mean", "circular_variance": "variance"}


class Checks:
    """Expressions with what they should give."""

    def __init__(self):
        self.rows = []

    def add(self, label, expression, want, tolerance):
        self.rows.append((label, expression, flat(want), tolerance))

    def run(self, name):
        got = evaluate([row[1] for row in self.rows])
        if isinstance(got, str) and len(self.rows) > 1: # one of them fails: which?
            got = [evaluate([row[1]]) for row in self.rows]
            got = [g if isinstance(g, str) else g[0] for g in got]
        elif isinstance(got, str):
            got = [got]
        failed = 0
        for (label, expression, want, tolerance), numbers in zip(self.rows, got):
            if isinstance(numbers, str):
                failed += 1
                print("%s: %s: %s\n    %s" % (name, label, expression, numbers))
            elif len(numbers) != len(want) or not all(near(g, w, tolerance) for g, w in zip(numbers, want)):
                failed += 1
                print("%s: %s: %s is %s, not %s" % (name, label, expression, short(numbers), short(want)))
        return len(self.rows) - failed, failed


def short(numbers):
    return " ".join("%.15g" % x for x in numbers[:9])


def near(got, want, tolerance):
    if math.isnan(want) or math.isinf(want):
        return math.isnan(got) if math.isnan(want) else got == want
    return abs(got - want) <= tolerance * max(abs(want), 1e-5)


def finite(params, name):
    return not isinstance(params.get(name), str)


def gradient_checks(checks, spec, label, point, x):
    """d log p by x and by each parameter, from one call of grad per argument."""
    params = point["params"]
    wanted = {} # argument of the lambda -> (expected, how the gradient is looked at)
    for key, want in point.items():
        if key.startswith("dlogp_dx"):
            wanted["x"] = (want, key[len("dlogp_dx"):])
    for key, want in point.get("dlogp_dparams", {}).items():
        name = key
        for suffix in ("_lower", "_full", "_normalised_grad"):
            name = name[:-len(suffix)] if name.endswith(suffix) else name
        wanted[name] = (want, key[len(name):])
    for name, (want, how) in wanted.items():
        if name != "x" and not finite(params, name):
            continue
        values = {k: text(v) for k, v in params.items()}
        if name != "x":
            values[name] = "v"
        f = "v -> logpdf(%s, %s)" % (spec["make"].format(**values), "v" if name == "x" else x)
        g = "grad(%s, %s)" % (f, x if name == "x" else text(params[name]))
        if how == "_lower":
            g = "tril(%s)" % g
        if how == "_diag":
            g = "diag(%s)" % g
        if how == "_full":
            g = "((g) -> 0.5 * (g + transpose(g)))(%s)" % g
        checks.add("d/d" + name + " " + label, g, want, GRADIENT)


def table_checks(spec, table):
    checks, without = Checks(), spec.get("without", "").split()
    for point in table["points"]:
        d = spec["make"].format(**{k: text(v) for k, v in point["params"].items()})
        x = text(point["x"] + spec["shift"]) if spec.get("shift") else text(point["x"])
        label = "at " + x
        for key, function in FUNCTIONS.items():
            if key in point and key not in without and not (key != "log_prob" and isinstance(point["x"], list)):
                checks.add(key, "%s(%s, %s)" % (function, d, x), point[key], VALUE)
        gradient_checks(checks, spec, label, point, x)
        for key, function in MOMENTS.items():
            if key in point and key not in without:
                checks.add(key, "%s(%s)" % (function, d), point[key], VALUE)
    for row in table.get("moments", []):
        d = spec["make"].format(**{k: text(v) for k, v in row["params"].items()})
        for key, function in MOMENTS.items():
            if row.get(key) is not None and key not in without:
                checks.add(key, "%s(%s)" % (function, d), row[key], VALUE)
    return checks


def divergence_checks(table):
    checks = Checks()
    for row in table["points"]:
        p, q = REFERENCE[row["p"]]["make"], REFERENCE[row["q"]]["make"]
        make = lambda pp, qq: "kl(%s, %s)" % (p.format(**pp), q.format(**qq))
        pp, qq = [{k: text(v) for k, v in row[side].items()} for side in ("p_params", "q_params")]
        checks.add("kl", make(pp, qq), row["kl"], VALUE)
        for name, want in row.get("dkl_dp", {}).items():
            f = make(dict(pp, **{name: "v"}), qq)
            checks.add("dp." + name, "grad(v -> %s, %s)" % (f, pp[name]), want, GRADIENT)
        for name, want in row.get("dkl_dq", {}).items():
            f = make(pp, dict(qq, **{name: "v"}))
            checks.add("dq." + name, "grad(v -> %s, %s)" % (f, qq[name]), want, GRADIENT)
    return checks


def main(names):
    if not os.path.isdir(TABLES):
        print("skipped: the reference tables are not here (%s)" % os.path.relpath(TABLES, ROOT))
        print("0 passed, 0 failed")
        return 0
    passed = failed = 0
    for file in sorted(os.listdir(TABLES)):
        name = file[:-5]
        other = name in ABSENT or name in ("transforms", "special_functions")
        if not file.endswith(".json") or other or (names and name not in names):
            continue
        with open(os.path.join(TABLES, file)) as f:
            table = json.load(f)
        checks = divergence_checks(table) if name == "kl" else table_checks(REFERENCE[name], table)
        p, n = checks.run(name)
        passed, failed = passed + p, failed + n
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
