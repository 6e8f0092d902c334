#!/usr/bin/env bash
# Runs the tests and sums up: every unit program in build/asan/unit, then (without --unit) every
# executable tests/*/run.sh and tests/*/run.py but the benchmarks. A script says how it went in its last line
# "N passed, N failed"; one that says nothing, or fails without naming a failure, counts as one test.
# Scripts find the program as $PPL and its sanitized twin as $PPL_ASAN.
set -u
cd "$(dirname "$0")/.." || exit 2
export PPL="$PWD/ppl" PPL_ASAN="$PWD/build/asan/ppl" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
export CK_VERBOSITY=normal CK_DEFAULT_TIMEOUT="${CK_DEFAULT_TIMEOUT:-120}" FUZZ_SECONDS="${FUZZ_SECONDS:-20}"
export ASAN_OPTIONS="allocator_may_return_null=1:${ASAN_OPTIONS:-}" # so that running out of memory can be tested
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
passed=0 failed=0

# count NAME PASSED FAILED STATUS
count() {
    local p=$2 f=$3
    if [ "$p$f" = "" ]; then [ "$4" = 0 ] && p=1 f=0 || { p=0; f=1; }; fi
    if [ "$4" != 0 ] && [ "$f" = 0 ]; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f))
    echo "-- $1: $p passed, $f failed"
}

run_unit() {
    local checks failures errors status
    "$1" > "$log" 2>&1; status=$?
    read -r checks failures errors < <(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$log" |
        awk '{c += $1; f += $2; e += $3} END {if (NR) print c, f, e; else print "0 1 0"}')
    [ "$status" = 0 ] && [ "$failures$errors" = 00 ] || cat "$log"
    count "$1" $((checks - failures - errors < 0 ? 0 : checks - failures - errors)) $((failures + errors)) "$status"
}

run_script() {
    local counts status
    "$1" 2>&1 | tee "$log"; status=${PIPESTATUS[0]}
    counts=$(tail -n 1 "$log" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p')
    count "$1" "${counts% *}" "${counts#* }" "$status"
}

for t in tests/unit/test_*.c; do
    [ -e "$t" ] && run_unit "build/asan/unit/$(basename "$t" .c)"
done
if [ "${1:-}" != --unit ]; then
    for s in tests/*/run.sh tests/*/run.py; do
        case $s in tests/bench/*) continue ;; esac
        [ -x "$s" ] && run_script "$s"
    done
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
