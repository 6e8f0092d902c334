#!/usr/bin/env python3
"""The house keeps its order: includes go downwards, one file knows setjmp, nothing below cli/ prints or exits, nothing
holds mutable global state, the library holds definitions only."""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What each layer may include, itself apart.
MAY_SEE = {
    "base": "",
    "lang": "base",
    "tensor": "base",
    "io": "base tensor",
    "tape": "base tensor",
    "dist": "base tensor tape",
    "interp": "base lang tensor io tape dist",
    "infer": "base lang tensor io tape dist interp",
    "pictures": "base lang tensor io tape dist interp infer",
    "cli": "base lang tensor io tape dist interp infer pictures",
}
FORBIDDEN = re.compile(r"\b(printf|vprintf|puts|putchar|perror|stdout|stderr|exit|_exit|quick_exit|abort|setjmp|longjmp"
                       r"|sigsetjmp|siglongjmp)\b")
# Who may say which of these words all the same.
ALLOWED = {
    "runtime/base/ctx.c": {"setjmp", "longjmp"},
    "runtime/base/arena.c": {"abort"},    # out of memory with nobody to raise to
    "runtime/base/strings.c": {"abort"},
}


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "runtime" else parts[0]


def bare(text):
    """The text without comments and the contents of strings; lines stay where they are."""
    def blank(match):
        s = match.group(0)
        return '""' if s[0] == '"' else "' '" if s[0] == "'" else re.sub(r"[^\n]", " ", s)
    text = text.replace("format(printf,", "format(,")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def check_includes(path, text):
    layer = layer_of(path)
    visible = set(MAY_SEE[layer].split()) | {layer} if layer in MAY_SEE else set()
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        where, name = f"{path}:{number}", found.group(2)
        if layer not in MAY_SEE:
            yield f"{where}: the folder {layer}/ is not a layer of the house"
        elif found.group(1) == "<":
            if name == "setjmp.h" and path != "runtime/base/ctx.c":
                yield f"{where}: only runtime/base/ctx.c includes setjmp.h"
        elif "/" not in name or ".." in name:
            yield f"{where}: \"{name}\" is not written from the roots, as in \"base/ctx.h\""
        elif name.split("/")[0] not in visible:
            yield f"{where}: {layer}/ includes \"{name}\", but sees only: {' '.join(sorted(visible))}"


def check_words(path, text):
    if layer_of(path) == "cli":
        return
    for number, line in enumerate(bare(text).split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        for word in FORBIDDEN.findall(line):
            if word not in ALLOWED.get(path, ()):
                yield f"{path}:{number}: '{word}' below cli/; raise an error or call a hook of the context instead"


def check_tree(root):
    problems = []
    pattern = [f"{d}/**/*.{e}" for d in ("lang", "runtime") for e in ("c", "h", "y", "l", "def")]
    paths = sorted(p for g in pattern for p in glob.glob(g, root_dir=root, recursive=True))
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        problems += check_includes(path, text)
        problems += check_words(path, text)
    return len(paths), problems


def check_state(root):
    """Objects hold no writable data (tables of pointers live in .data.rel.ro)."""
    objects = sorted(glob.glob("build/lang/*.o", root_dir=root) + glob.glob("build/runtime/*/*.o", root_dir=root))
    for o in objects:
        source = re.sub(r"(\.v\d)?\.o$", ".c", o[len("build/"):])
        if layer_of(source) == "cli" or not os.path.exists(os.path.join(root, source)):
            continue
        sizes = subprocess.run(["size", "-A", os.path.join(root, o)], capture_output=True, text=True, check=True).stdout
        for section, size in re.findall(r"^(\.data|\.bss|\.tdata|\.tbss)\s+(\d+)", sizes, flags=re.M):
            if int(size):
                yield f"{o}: {size} bytes of mutable global state in {section}"


VECTOR_MATH = set("exp log log1p expm1 sin cos tan asin acos atan tanh erf erfc pow atan2".split())


def check_vectors(root):
    """A loop that calls a function of libm has not become a vector."""
    objects = sorted((o for name in ("elementwise", "normals")
                     for o in glob.glob(f"build/**/lines_{name}.v*.o", root_dir=root, recursive=True)))
    for o in objects:
        names = subprocess.run(["nm", "-u", os.path.join(root, o)], capture_output=True, text=True, check=True).stdout
        math = {name.removesuffix("f") if name != "erf" else name for name in re.findall(r"\bU (\w+)$", names, flags=re.M)} \
            & VECTOR_MATH
        if math:
            yield f"{o}: calls {', '.join(sorted(math))} one element at a time"
    if not objects:
        yield "no objects of lines_elementwise.c"


# One file per rule, each breaking it once; the checker must see exactly these.
BROKEN = {
    "runtime/base/up.c": ('#include "tensor/tensor.h"\n', "sees only"),
    "runtime/tape/side.c": ('#include "lang/tree.h"\n', "sees only"),
    "lang/side.h": ('#include "tensor/tensor.h"\n', "sees only"),
    "runtime/io/up.c": ('#include "interp/value.h"\n', "sees only"),
    "runtime/dist/root.c": ('#include "gamma.h"\n', "from the roots"),
    "runtime/infer/jump.c": ("#include <setjmp.h>\n", "setjmp.h"),
    "runtime/interp/print.c": ('/* printf */\nint f(void) { return printf("exit"); }\n', "'printf'"),
    "runtime/tensor/leave.c": ("void f(void) { exit(1); }\n", "'exit'"),
    "lang/lexer.l": ('x { fputs("no", stderr); }\n', "'stderr'"),
    "runtime/cli/fine.c": ('#include "infer/infer.h"\nint f(void) { return printf("x"); }\n', None),
    "runtime/extra/new.c": ('#include "base/ctx.h"\n', "not a layer"),
}


def check_checker():
    with tempfile.TemporaryDirectory() as root:
        for path, (text, _) in BROKEN.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        _, problems = check_tree(root)
    for path, (_, words) in BROKEN.items():
        mine = [p for p in problems if p.startswith(path + ":")]
        if [words in p for p in mine] != ([True] if words else []):
            yield f"the checker itself: {path} should give {words or 'nothing'}, gave {mine}"


# What may not stand in a file of the library, and the words with which it is refused.
BROKEN_LIBRARY = [
    ("fn f(x) = 1\nprint(f(2))\n", "2: only definitions"),
    ("fn f(x) = 1 +\n2\n", "2: only definitions"),
    ("data x = 1\n", "1: only definitions"),
    ("x[1] = 2\n", "1: only definitions"),
    ("dist D() on real {\n}\nfn D() = 1\n", "3: D is defined twice: first at"),
    ("# a comment\n    f(x)\n", "2: no definition has begun"),
]


def embed(*files):
    return subprocess.run(["awk", "-f", os.path.join(ROOT, "stdlib/embed.awk"), *files], capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL="C"), check=False)


def check_library():
    """The library holds definitions only, and they are cut where they end."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "part.ppl")
        for text, words in BROKEN_LIBRARY:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            done = embed(path)
            if done.returncode == 0 or f"{path}:{words}" not in done.stderr:
                yield f"{text!r} should be refused with '{words}': {done.stderr}"
        text = '# μ\nzwei = "\\t?"\n\nfn f(μ) {\n    μ\n}\n# of g\nnet g_1() = f(1,\n    2)\n\n# end\n'
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        rows = re.findall(r'^    {"(\w+)", (\d+), (\d+), (\d+), (\d+)},$', embed(path).stdout, flags=re.M)
        cut = {name: (int(line), text.encode()[int(at):int(at) + int(n)].decode()) for name, _, line, at, n in rows}
        wanted = {"f": (4, "fn f(μ) {\n    μ\n}\n"), "g_1": (8, "net g_1() = f(1,\n    2)\n"), "zwei": (2, 'zwei = "\\t?"\n')}
        if cut != wanted or [r[0] for r in rows] != sorted(wanted):
            yield f"cut into {cut}"
    done = embed(*sorted(glob.glob(os.path.join(ROOT, "stdlib/*.ppl"))))
    if done.returncode:
        yield done.stderr.strip()


def main():
    files, problems = check_tree(ROOT)
    tests = [("the checker sees what is broken", list(check_checker())),
             (f"includes and words of {files} files", problems),
             ("no mutable global state", list(check_state(ROOT))),
             ("vector functions are called as such", list(check_vectors(ROOT))),
             ("definitions of the library", list(check_library()))]
    for name, found in tests:
        for problem in found:
            print(f"FAIL {name}: {problem}")
    failed = sum(1 for _, found in tests if found)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
