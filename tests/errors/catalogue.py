#!/usr/bin/env python3
"""The catalogue of mistakes: catalogue/*.txt, each a topic with sections

    === what is wrong
    $ ppl check program.ppl               the command; left out: ppl run program.ppl
    file y.json: {"y": [1, 2]}            a file beside the program (\\n is a line end, \\xff a byte)
    the program
    --- exit 1
    what standard error must say, to the letter

and the test that every message of the source stands in one of them. `--update` writes what is said today into the
files (read the difference!), `--uncovered` lists messages of the source that no section shows.
"""
import concurrent.futures, glob, os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.path.abspath(os.environ.get("PPL", os.path.join(ROOT, "ppl")))
WORKERS = 2

# Functions that say what is wrong, and which of their arguments is the format.
RAISERS = {
    "ctx_raise": 4, "ctx_raise_here": 2, "ctx_warn": 4, "resolve_error": 3, "resolve_warn": 4, "parser_error": 3, "load_error": 3,
    "builtin_fail": 3, "reader_fail": 1, "writer_fail": 1,
}

# Messages without a section, and why.
with open(os.path.join(HERE, "catalogue", "exceptions.tsv"), encoding="utf-8") as f:
    EXCEPTIONS = dict(line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#"))


def bytes_of(text):
    return re.sub(rb"\\(n|x[0-9a-f]{2})", lambda m: b"\n" if m[1] == b"n" else bytes([int(m[1][1:], 16)]), text.encode())


class Section:
    def __init__(self, topic, title, lines):
        self.topic, self.title = topic, title
        self.command, self.files, program = ["run", "program.ppl"], {}, []
        golden, self.exit = None, None
        for line in lines:
            m = re.fullmatch(r"--- exit (\d+)", line)
            if m and golden is None:
                golden, self.exit = [], int(m[1])
            elif golden is not None:
                golden.append(line)
            elif line.startswith("$ ppl ") and not program:
                self.command = line[6:].split()
            elif re.match(r"file \S+: ", line) and not program:
                name, text = line[5:].split(": ", 1)
                self.files[name] = bytes_of(text)
            else:
                program.append(line)
        self.given = lines[:len(lines) - len(golden) - 1] if golden is not None else lines
        while self.given and not self.given[-1]:
            self.given = self.given[:-1]
        self.program = "\n".join(program).rstrip("\n") + "\n"
        self.golden = "\n".join(golden or []).strip("\n")

    def run(self):
        """(exit code, standard error)."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {"program.ppl": self.program.encode(), **self.files}.items():
                with open(os.path.join(folder, name), "wb") as f:
                    f.write(content)
            try:
                done = subprocess.run([PPL, *self.command], cwd=folder, capture_output=True, timeout=60,
                                      env=dict(os.environ, NO_COLOR="1", PATH="/nowhere"), stdin=subprocess.DEVNULL, check=False)
            except subprocess.TimeoutExpired:
                return None, "no end in 60 s"
        said = done.stderr.decode(errors="replace").replace(folder, "FOLDER").strip("\n")
        return done.returncode, "\n".join(line.rstrip() for line in said.split("\n"))

    def text(self):
        return "\n".join([f"=== {self.title}", *self.given, f"--- exit {self.exit}", self.golden]) + "\n\n"


def read_topic(path):
    topic, sections, title, lines = os.path.basename(path)[:-4], [], None, []
    with open(path, encoding="utf-8") as f:
        for line in f.read().split("\n") + ["=== "]:
            if line.startswith("=== "):
                if title is not None:
                    sections.append(Section(topic, title, lines))
                title, lines = line[4:], []
            else:
                lines.append(line)
    return sections


def topics():
    return {path: read_topic(path) for path in sorted(glob.glob(os.path.join(HERE, "catalogue", "*.txt")))}


# -- Messages in the source --


def arguments_of(text, at):
    """The arguments of the call whose bracket opens at `at`, each as text."""
    depth, start, out, quoted = 0, at + 1, [], False
    i = at
    while i < len(text):
        c = text[i]
        if quoted:
            if c == "\\":
                i += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c == "'":
            i = text.index("'", i + (2 if text[i + 1] == "\\" else 1) + 1) if text[i + 2] != "'" else i + 2
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return out + [text[start:i]]
        elif c == "," and depth == 1:
            out.append(text[start:i])
            start = i + 1
        i += 1
    return out


def formats_in(argument):
    """The string literals of an argument; neighbours are one."""
    out = []
    for group in re.findall(r'((?:"(?:[^"\\]|\\.)*"(?:\s|PRI\w+)*)+)', argument):
        out.append("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', group)).replace('\\"', '"').replace("\\\\", "\\"))
    return out


def source_messages():
    """(format, place) of everything the program can say."""
    call = re.compile(r"\b(%s)\(" % "|".join(RAISERS))
    for path in sorted(glob.glob(ROOT + "/lang/*.[cly]") + glob.glob(ROOT + "/runtime/*/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
        for m in call.finditer(text):
            arguments = arguments_of(text, m.end() - 1)
            k = RAISERS[m[1]]
            if len(arguments) <= k or "ERROR_ELEMENTWISE" in arguments[1]:
                continue  # nobody sees the latter: the plate catches it and runs element by element
            for literal in formats_in(arguments[k]):
                place = f"{os.path.relpath(path, ROOT)}:{text.count(chr(10), 0, m.start()) + 1}"
                yield literal, place


def pattern_of(literal):
    """A regular expression for what a format prints; None where it says nothing by itself."""
    parts = re.split(r"%(?:%|[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z])", literal)
    if not re.search(r"[a-z]{3}", "".join(parts)):
        return None
    return re.compile(".*".join(re.escape(p) for p in parts))


def uncovered(sections):
    said = sorted({line for s in sections for line in s.golden.split("\n")})
    for literal, place in source_messages():
        pattern = pattern_of(literal)
        if pattern and literal not in EXCEPTIONS and not any(pattern.search(line) for line in said):
            yield place, literal


def main():
    update = "--update" in sys.argv
    by_file = topics()
    sections = [s for group in by_file.values() for s in group]
    if "--uncovered" in sys.argv:
        for place, literal in uncovered(sections):
            print(f"{place}\t{literal}")
        return 0
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(Section.run, sections))
    for s, (code, said) in zip(sections, results):
        if update:
            s.exit, s.golden = code, said
        elif (code, said) == (s.exit, s.golden):
            passed += 1
        else:
            failed += 1
            print(f"FAIL {s.topic}: {s.title}\n  exit {code}, {s.exit} expected; it said\n{said}\n  expected\n{s.golden}")
    if update:
        for path, group in by_file.items():
            with open(path, "w", encoding="utf-8") as f:
                f.write("".join(s.text() for s in group))
        return 0
    missing = list(uncovered(sections))
    for place, literal in missing:
        print(f"FAIL {place}: no section of the catalogue shows the message \"{literal}\"")
    literals = {literal for literal, _ in source_messages()}
    gone = [e for e in EXCEPTIONS if e not in literals]
    for e in gone:
        print(f"FAIL exceptions.tsv: the source does not say \"{e}\" any more")
    failed += len(missing) + len(gone)
    print(f"{passed + (not missing) + (not gone)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
