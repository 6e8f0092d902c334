"""Runs programs of the language and gives back numbers with all their digits (print shows six)."""
import os
import struct
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PPL = os.environ.get("PPL", os.path.join(ROOT, "ppl"))


def text(value):
    """A number or nested list as the language writes it."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(text(v) for v in value) + "]"
    return value if isinstance(value, str) else repr(value)


def flat(value):
    if isinstance(value, (list, tuple)):
        return [x for v in value for x in flat(v)]
    return [float(value)]


def read_npy(path):
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<H", data[8:10])[0]
    if b"<f8" not in data[:10 + size]:
        raise ValueError("the .npy file does not hold doubles")
    numbers = data[10 + size:]
    return list(struct.unpack("<%dd" % (len(numbers) // 8), numbers))


def evaluate(expressions, setup="", seed=1):
    """The numbers of each expression (a number or array), flattened; or a string that says why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "p.ppl"), os.path.join(folder, "out.npy")
        names = ["r%d" % k for k in range(len(expressions))]
        lines = [setup] + ["%s = flatten([%s])" % (n, e) for n, e in zip(names, expressions)]
        lines.append("sizes = [%s]" % ", ".join("len(%s)" % n for n in names))
        lines.append('write("%s", concat(sizes, %s))' % (out, ", ".join(names)))
        with open(source, "w") as f:
            f.write("\n".join(lines) + "\n")
        command = [PPL, "run", "--json", "--seed", str(seed), source]
        run = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if run.returncode != 0 or not os.path.exists(out):
            return "exit %d: %s" % (run.returncode, run.stderr.strip()[:1500])
        numbers = read_npy(out)
    sizes, numbers, parts = [int(n) for n in numbers[:len(names)]], numbers[len(names):], []
    for n in sizes:
        parts.append(numbers[:n])
        numbers = numbers[n:]
    return parts
