#!/usr/bin/env bash
# sum.sh COMMAND FILE...: runs COMMAND with each file and adds up their last lines "N passed, N failed".
command=$1
shift
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
passed=0 failed=0
for file; do
    "$command" "$file" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    read -r p f < <(tail -n 1 "$log" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p')
    [ "$status" = 0 ] || [ "${f:-0}" != 0 ] || f=1
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
    p='' f=''
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
