#!/usr/bin/env bash
# Every program of this folder.
cd "$(dirname "$0")" || exit 2
exec ../sum.sh python3 ./*.py
