#!/usr/bin/env python3
"""Runs every example and compares its figures with the table below.

usage: examples.py [NAME ...]    (the program is $PPL, or ./ppl at the top)

An entry is: arguments, a list of rows per fit, the lines that are printed. A row is: variable or field, statistic,
element (None: all of it), figure, tolerance. The figures are those of the true posterior: of posteriordb's reference
draws for the eight schools, of quadrature for the others (a grid over the one to three parameters that are left when
the rest is integrated out in closed form or by the Kalman filter; baseball: the abilities on a grid too), so they hold
for any method. Where discrete latents are summed out, they are those of MCMC with the sum written out by hand (for
`coal` and `dippers` of quadrature), under map() those of EM: each README says which. The tolerances are about 0.2 posterior sd for means and 15 % for sds, what a Gaussian approximation can
be asked for, and narrower where the posterior is nearly Gaussian.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PPL = os.environ.get("PPL", os.path.join(ROOT, "ppl"))

EXAMPLES = {
    "eight_schools": (["--data", "schools.json"], [
        ("mu", "mean", None, 4.40, 0.7), ("mu", "sd", None, 3.32, 0.7),
        ("tau", "mean", None, 3.60, 1.2),
        ("theta", "mean", 1, 6.15, 1.0), ("theta", "mean", 7, 6.32, 1.0), ("theta", "mean", 5, 3.61, 1.0),
    ], []),
    "forbes": (["--data", "forbes.csv"], [
        ("at_mean", "mean", None, 139.604, 0.01), ("at_mean", "sd", None, 0.0961, 0.005),
        ("slope", "mean", None, 0.8956, 0.002), ("slope", "sd", None, 0.0172, 0.001),
        ("sigma", "mean", None, 0.3898, 0.007), ("sigma", "sd", None, 0.0717, 0.005),
        ("precision", "mean", None, 7.214, 0.2), ("elbo", None, None, -18.252, 0.01),
    ], []),
    "baseball": (["--data", "baseball.csv"], [
        ("mu", "mean", None, -1.026, 0.03), ("mu", "sd", None, 0.0927, 0.014),
        ("sigma", "mean", None, 0.166, 0.04),
        ("p", "mean", 1, 0.294, 0.01), ("p", "mean", 10, 0.261, 0.007), ("p", "mean", 18, 0.243, 0.01),
    ],
        [("squared error of the averages so far", 0.07532, 0.00001),
         ("squared error of the posterior means", 0.0212, 0.002)]),
    "nile": (["--data", "nile.csv"], [
        ("sigma_level", "mean", None, 0.436, 0.03), ("sigma_flow", "mean", None, 1.2245, 0.03),
        ("sigma_level", "sd", None, 0.158, 0.025), ("elbo", None, None, -183.211, 0.1),
    ], [
        ("level", "mean", 1, 11.107, 0.05), ("level", "mean", 28, 10.016, 0.05), ("level", "mean", 29, 9.461, 0.05),
        ("level", "mean", 50, 8.337, 0.05), ("level", "mean", 100, 7.89, 0.05), ("level", "sd", 50, 0.512, 0.03),
        ("elbo", None, None, -179.26, 0.1),
    ], [("in 1898", 10.016, 0.05)]),
    "mites": (["--data", "mites.csv"], [
        ("m", "mean", None, 1.165, 0.025), ("m", "sd", None, 0.1278, 0.015),
        ("k", "mean", None, 1.153, 0.06), ("k", "sd", None, 0.334, 0.05),
        ("elbo", None, None, -225.943, 0.1),
    ], []),
    "rats": (["--data", "rats.json"], [
        ("level.mu", "mean", None, 242.65, 0.6), ("level.sigma", "mean", None, 14.88, 0.5),
        ("level.value", "mean", 1, 239.90, 0.6), ("level.value", "mean", 9, 283.34, 0.6),
        ("rate.mu", "mean", None, 6.185, 0.025), ("rate.sigma", "mean", None, 0.532, 0.025),
        ("rate.value", "mean", 1, 6.064, 0.06), ("rate.value", "mean", 9, 7.062, 0.06),
        ("noise", "mean", None, 6.109, 0.1), ("noise", "sd", None, 0.379, 0.02),  # of the best Gaussian; the posterior has 0.466
    ], []),
    "old_faithful": (["--data", "old_faithful.csv"], [
        ("share", "mean", None, 0.6372, 0.007), ("share", "sd", None, 0.0313, 0.005),
        ("short", "mean", None, 54.675, 0.15), ("short", "sd", None, 0.751, 0.12),
        ("long", "mean", None, 80.084, 0.11), ("long", "sd", None, 0.525, 0.08),
        ("scale", "mean", 1, 6.014, 0.12), ("scale", "mean", 2, 5.939, 0.09), ("elbo", None, None, -1048.73, 0.1),
    ], [("a wait of 69 minutes is a long one with probability", 0.819, 0.02)]),
    "notices": (["--data", "notices.csv"], [("log_density", None, None, -1995.937, 0.001)], [
        ("rate on quiet days", 1.2561, 0.0005), ("rate on busy days", 2.6634, 0.0005),
        ("share of quiet days", 0.35989, 0.0005), ("log likelihood", -1989.946, 0.006),
        ("0 notices: probability of a busy day", 0.3033, 0.001),
        ("5 notices: probability of a busy day", 0.9491, 0.001),
    ]),
    "earthquakes": (["--data", "earthquakes.csv"], [
        ("rate", "mean", 1, 13.06, 0.2), ("rate", "mean", 2, 19.66, 0.2), ("rate", "mean", 3, 29.70, 0.4),
        ("step", "mean", 2, 6.60, 0.25), ("step", "mean", 3, 10.04, 0.4), ("elbo", None, None, -341.2, 0.5),
    ], [
        ("years in state 3", 18, 4), ("expected years in state 3", 20.40, 1),
        ("1943: 41 earthquakes, state on the path", 3, 0), ("1943: probability of state 3", 0.9995, 0.001),
        ("1957: 34 earthquakes, probability of state 3", 0.526, 0.04),
    ]),
    "coal": (["--data", "coal.csv"], [
        ("before", "mean", None, 3.0928, 0.05), ("before", "sd", None, 0.2864, 0.04),
        ("after", "mean", None, 0.9377, 0.02), ("after", "sd", None, 0.1171, 0.018),
        ("elbo", None, None, -176.477, 0.05),
    ], [
        ("most probable", 1892, 0), ("its probability", 0.2383, 0.01),
        ("probability that it was from 1887 to 1895", 0.9407, 0.01),
    ]),
    "dippers": (["--data", "seen=dippers.csv"], [
        ("survival", "mean", None, 0.5617, 0.005), ("survival", "sd", None, 0.0251, 0.003),
        ("detection", "mean", None, 0.8955, 0.006), ("detection", "sd", None, 0.0289, 0.004),
        ("elbo", None, None, -338.858, 0.05),
    ], [("ringed birds alive in 1987", 98.76, 0.5)]),
    "meter": (["--data", "meter.csv"], [
        ("fridge_watts", "mean", None, 105.87, 0.6), ("fridge_watts", "sd", None, 3.01, 0.45),
        ("heater_watts", "mean", None, 138.19, 1.1), ("heater_watts", "sd", None, 5.62, 0.85),
        ("noise", "mean", None, 21.70, 0.3), ("noise", "sd", None, 1.45, 0.2), ("elbo", None, None, -614.22, 0.1),
    ], [("minutes wrong, fridge", 3, 1), ("minutes wrong, heater", 3, 1),
        ("the fridge ran in minute 3 with probability", 0.9692, 0.01)]),
    "titles": (["--data", "titles.csv"], [("log_density", None, None, -25.920, 0.001)], [
        ("human", 0.0944, 0.0005), ("system", 0.1757, 0.0005), ("survey", 0.0540, 0.0005), ("trees", 0.0235, 0.0005),
        ("title 2 on graphs", 0.1511, 0.0005), ("title 9 on graphs", 0.8405, 0.0005),
        ('the second "survey" is on graphs', 0.909, 0.001),
    ]),
    "iris": (["--data", "iris.csv"], [
        ("share", "mean", 2, 0.3426, 0.01), ("share", "mean", 3, 0.3242, 0.01),
        ("elbo", None, None, -209.68, 0.2),
    ], [
        ("right of those without a name", 129, 2), ("length of a setosa", 1.458, 0.008),
        ("length of a versicolor", 4.285, 0.02), ("length of a virginica", 5.578, 0.04),
        ("width of a versicolor", 1.319, 0.008), ("width of a virginica", 2.033, 0.01),
        ("flower 84 is a virginica with probability", 0.556, 0.05),
    ]),
    # Networks on real digits, trained for seconds. Nothing is known exactly: what must hold, with room for the seed.
    "digits/vae": (["--data", "quick.json"], [], [
        ("ELBO of a new digit", -126, 5), ("log evidence of a new digit", -120, 5),
        ("log probability of its pixels, each on its own", -251.994, 0.001), ("a pixel decoded from the code is off by", 1.34, 0.1),
    ]),
    "digits/mnist": (["--data", "edward.json"], [], [("ELBO of a new image", -25.2, 1), ("log evidence of a new image", -24.6, 1)]),
    "digits/encode": (["--data", "x=new.csv"], [("ELBO of each [", -115, 10)]),
    "digits/beta": (["--data", "quick.json"], [], [], [
        ("beta 1 nats in a code", 18.5, 2), ("beta 30 nats in a code", 0, 2),
    ]),
    "digits/cvae": (["--data", "quick.json"], [], [], [
        ("one guess: log probability", -101, 4), ("with z: bound on it", -57.5, 4), ("with z: log probability", -54, 4),
    ]),
    "digits/edward": (["--data", "edward.json"], [], [], [
        ("ELBO of a new digit, by the network", -24.5, 1), ("ELBO of a new digit, by parameters of its own", -24.5, 1),
    ]),
    "digits/semi": (["--data", "quick.json"], [], [], [], [
        ("right, from the hundred alone", 0.79, 0.03), ("right, with the 1197 that have no label", 0.826, 0.03),
        ("right, if all had a label", 0.89, 0.03),
    ]),
    "digits/bayes": (["--data", "quick.json"], [], [], [
        ("one network: right", 0.93, 0.02), ("Bayesian: right", 0.92, 0.02), ("Bayesian: sure", 0.84, 0.04),
    ]),
    # The best independent normals by hand; the truth for the flow and the guide by hand, which come near.
    "funnel": (["--data", "quick.json"], [
        ("elbo", None, None, -1.863, 0.04), ("v", "sd", None, 0.4657, 0.02),
    ], [
        ("elbo", None, None, -1.863, 0.04), ("v", "sd", None, 0.4657, 0.02),
    ], [
        ("elbo", None, None, -0.08, 0.08), ("v", "sd", None, 2.5, 0.4),
    ], [
        ("elbo", None, None, -0.1, 0.1), ("v", "sd", None, 2.3, 0.5),
    ], []),
    "neural_process": (["--data", "quick.json"], [], [
        ("given 1 points: log density of another", -1.02, 0.1), ("given 10 points: log density of another", -0.82, 0.12),
    ]),
    "statistician": (["--data", "quick.json"], [], [
        ("ELBO of a number", -1.624, 0.03), ("mean: correlation with what c tells", 0.92, 0.03),
        ("deviation: correlation with what c tells", 0.87, 0.05),
    ]),
    # 129 is what EM finds that starts at the cultivars.
    "wine": (["--data", "x=wine.csv", "--data", "named=cultivar.csv"], [], [], [
        ("ELBO, each row's kind summed out exactly", -2281.7, 0.5), ("ELBO, told by the network", -2282.5, 0.7),
        ("right of the rows it learned from", 129, 1), ("right of the rows that came later", 35, 1),
    ]),
    "diabetes": (["--data", "table=diabetes.csv", "--data", "quick.json"], [], [], [], [
        ("linear: error", 0.677, 0.005), ("Bayesian network: error", 0.68, 0.015), ("fixed weights: error", 1.33, 0.2),
    ]),
    # Trained for seconds on boxes that the program draws. Nothing is known exactly: what must hold, with room for the seed.
    "iterative/tables": (["--data", "quick.json"], [], [], [
        ("standard test ELBO", -31.5, 2), ("iterative test ELBO", -31.5, 2), ("ELBO after 40 steps", -31.5, 2.5),
    ]),
    "iterative/optimizers": (["--data", "optimizers.json"], [], [
        ("learned after 5 steps, less the best of the others after 5:", 10, 7),
        ("learned after 128 steps, less after 16:", 0, 0.5),
    ]),
    "iterative/surface": (["--data", "quick.json"], [], [("below the top after 16 steps: learned", 0.4, 0.8)]),
    "iterative/reconstructions": (["--data", "quick.json"], [], [
        ("after steps 0 mean error of a pixel", 0.36, 0.06), ("after steps 5 mean error of a pixel", 0.17, 0.03),
    ]),
    "iterative/magnitudes": (["--data", "magnitudes.json"], [], [], [], [("at step 5, relative to step 1:", 0.2, 0.15)]),
    "iterative/iterations": (["--data", "iterations.json"], *[[]] * 14, [("standard, samples 5 test ELBO", -37.5, 3)]),
    "iterative/hierarchical": (["--data", "quick.json"], [], [], [], [
        ("standard test ELBO", -33.5, 2), ("gradients test ELBO", -30.5, 2),
    ]),
    "iterative/words": (["--data", "quick.json"], [], [], [
        ("one distribution for all", 25.86, 0.1), ("iterative perplexity", 18.3, 1), ("iterative bound on it", 19.1, 1.2),
    ]),
}

AFTER = {"digits/encode": "digits/vae"}  # reads what the other has saved


def figures(fit, rows):
    for name, stat, element, want, within in rows:
        value = fit["variables"].get(name, {}).get(stat) if stat else fit.get(name)
        where = f"{name}{'' if element is None else [element]} {stat or ''}".strip()
        if element is not None and value is not None:
            value = value[element - 1]
        if value is None:
            yield f"{where}: missing"
        elif abs(value - want) > within:
            yield f"{where}: {value:.5g}, expected {want} within {within}"


def printed(prints, rows):
    for words, want, within in rows:
        line = next((p for p in prints if p.startswith(words)), None)
        numbers = re.findall(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?", line[len(words):]) if line else []
        if not numbers:
            yield f'no line "{words} ..."'
        elif abs(float(numbers[0]) - want) > within:
            yield f"{words}: {numbers[0]}, expected {want} within {within}"


def run(name, copy):
    arguments, *rows, lines = EXAMPLES[name]
    folder = os.path.join(copy, os.path.dirname(name) or name)
    try:
        done = subprocess.run([PPL, "run", "--json", *arguments, os.path.basename(name) + ".ppl"], cwd=folder, capture_output=True,
                              text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return ["no end in 300 s"]
    if done.returncode != 0:
        return [f"exit {done.returncode}: " + " | ".join(done.stderr.splitlines()[-4:])]
    out = [json.loads(line) for line in done.stdout.splitlines()]
    fits = [o["fit"] for o in out if "fit" in o]
    if len(fits) != len(rows):
        return [f"{len(fits)} fits, {len(rows)} expected"]
    wrong = [p for fit, wanted in zip(fits, rows) for p in figures(fit, wanted)]
    return wrong + list(printed([o["print"] for o in out if "print" in o], lines))


def main():
    names = sys.argv[1:] or list(EXAMPLES)
    names = [AFTER[name] for name in names if name in AFTER and AFTER[name] not in names] + names
    failed = 0
    for folder in sorted(os.listdir(os.path.join(ROOT, "examples"))):
        if folder not in {name.split("/")[0] for name in EXAMPLES} and os.path.isdir(os.path.join(ROOT, "examples", folder)):
            print(f"FAIL {folder}: no figures in the table of this test")
            failed += 1
    with tempfile.TemporaryDirectory() as folder:  # programs write files
        copy = shutil.copytree(os.path.join(ROOT, "examples"), os.path.join(folder, "examples"))
        for name in names:
            start = time.time()
            problems = run(name, copy)
            failed += bool(problems)
            print(f"{'FAIL' if problems else 'ok  '} {name} {time.time() - start:.1f} s", flush=True)
            for problem in problems:
                print("     " + problem)
    print(f"{max(len(names) - failed, 0)} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
