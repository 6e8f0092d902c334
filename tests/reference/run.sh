#!/usr/bin/env bash
# The programs here that are tests; the others are their parts.
cd "$(dirname "$0")" || exit 2
exec ../sum.sh python3 distributions.py draws.py posteriordb.py
