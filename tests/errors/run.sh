#!/usr/bin/env bash
# Wrong programs, data and command lines; then the catalogue of messages.
cd "$(dirname "$0")" || exit 2
exec ../sum.sh python3 ./run.py ./catalogue.py
