#!/usr/bin/env bash
# The benchmarks: `make bench`, or `make bench BENCH=--quick`. README.md says how to read the tables.
cd "$(dirname "$0")/../.." || exit 2
export PPL=${PPL:-$PWD/ppl} OPENBLAS_NUM_THREADS=1
build/bench/kernels
build/bench/kernels_single
exec python3 tests/bench/bench.py "$@"
