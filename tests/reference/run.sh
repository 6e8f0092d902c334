#!/usr/bin/env bash
# Every python program here that is a test; each says "N passed, N failed" in its last line.
set -u
cd "$(dirname "$0")" || exit 2
passed=0 failed=0 log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
for test in distributions draws posteriordb; do
    python3 "$test.py" > "$log" 2>&1
    counts=$(tail -n 1 "$log" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p')
    sed '$d' "$log"
    [ -n "$counts" ] || counts="0 1"
    echo "$test: ${counts% *} passed, ${counts#* } failed"
    passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
