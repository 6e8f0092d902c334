#!/usr/bin/env bash
# Builds the fuzzer with the sanitized objects (Makefile) and runs it for FUZZ_SECONDS (20). With arguments: runs that one program.
# FUZZ_SEED repeats a run, FUZZ_CASE shows one case of it; findings are kept in build/fuzz/.
set -eu
cd "$(dirname "$0")/../.."
make --no-print-directory build/fuzz/fuzz > /dev/null
export FUZZ_SECONDS="${FUZZ_SECONDS:-20}" OPENBLAS_NUM_THREADS=1 FUZZ_KEEP="$PWD/build/fuzz"
if [ -z "${FUZZ_SEED:-}" ]; then # the tests repeat themselves; a long run looks for something new
    [ "$FUZZ_SECONDS" -gt 60 ] && FUZZ_SEED=$(date +%s) || FUZZ_SEED=1
fi
roots="examples tests"
[ -d ../shared/acceptance ] && roots="$roots ../shared/acceptance"
export FUZZ_SEED FUZZ_ROOTS="$roots"
exec build/fuzz/fuzz "$@"
