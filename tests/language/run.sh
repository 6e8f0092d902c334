#!/usr/bin/env bash
# The commands of the READMEs, and what editors and shells know of the language.
cd "$(dirname "$0")" || exit 2
exec ../sum.sh python3 ./readme.py ./editors.py ./format.py ./repl.py ./reference.py ./tutorial.py ./pictures.py
