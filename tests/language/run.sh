#!/usr/bin/env bash
# The commands of the README.
exec python3 "$(dirname "$0")/readme.py"
