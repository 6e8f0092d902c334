#!/usr/bin/env bash
# How long things take on this machine: starting, parsing and checking a program; a step of svi.
cd "$(dirname "$0")/../.." || exit 2
PPL=${PPL:-$PWD/ppl}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

cat > "$work/coin.ppl" <<'END'
data flips: int(0, 1)[N] = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
model coin {
    fairness ~ Beta(10, 10)
    plate n in 1..N { flips[n] ~ Bernoulli(fairness) }
}
guide beta_guide for coin {
    param a: positive = 10
    param b: positive = 10
    fairness ~ Beta(a, b)
}
fit = infer(coin, beta_guide, steps = 4000, optimizer = adam(0.01))
END
for particles in 1 16; do
    sed '/^#/d' examples/eight_schools/eight_schools.ppl > "$work/schools_$particles.ppl"
    echo "infer(schools, guide = auto_normal(), method = svi(objective = ELBO(particles = $particles)), steps = 20000)" \
        >> "$work/schools_$particles.ppl"
done
cat > "$work/regression.ppl" <<'END'
n = 10000
x = sin(1..n)
y = 1 + 2 * x
model line(x, y) {
    a ~ Normal(0, 10)
    b ~ Normal(0, 10)
    plate i in 1..len(y) { y[i] ~ Normal(a + b * x[i], 1) }
}
infer(line(x, y), guide = auto_normal(), steps = 2000)
END

# seconds of one fit, divided by its steps, in microseconds
per_step() {
    printf '%-58s' "$1"
    if ! "$PPL" run --json --quiet "$2" > "$work/out" 2> "$work/err"; then echo failed; tail -n 3 "$work/err"; return; fi
    python3 -c '
import json, sys
fit = [json.loads(l)["fit"] for l in open(sys.argv[1]) if l.startswith("{\"fit\"")][0]
print("%10.2f us  (%d steps, %.2f s)" % (1e6 * fit["seconds"] / fit["steps"], fit["steps"], fit["seconds"]))' "$work/out"
}

printf '%-58s' "start, library, parse and check coin.ppl"
python3 - "$PPL" "$work/coin.ppl" <<'END'
import subprocess, sys, time
times = []
for _ in range(20):
    start = time.perf_counter()
    subprocess.run([sys.argv[1], "check", sys.argv[2]], check=True, stdout=subprocess.DEVNULL)
    times.append(time.perf_counter() - start)
print("%10.2f ms  (the best of %d)" % (1e3 * min(times), len(times)))
END
per_step "a step of svi: coin, written guide" "$work/coin.ppl"
per_step "a step of svi: eight schools, auto_normal" "$work/schools_1.ppl"
per_step "a step of svi: eight schools, auto_normal, 16 particles" "$work/schools_16.ppl"
per_step "a step of svi: regression, 10000 observations" "$work/regression.ppl"
