"""What is timed: sides, each with `check()` (the numbers it computes) and `round(seconds)` (seconds of one operation)."""
import json
import math
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PPL = os.environ.get('PPL', os.path.join(ROOT, 'ppl'))
BUILT = os.path.join(ROOT, 'build', 'bench')
DRAWS = 20000


class Failed(Exception):
    pass


class Side:
    """One side of a comparison and what was measured of it."""

    def __init__(self, name):
        self.name, self.seconds, self.processor, self.memory = name, [], [], 0

    def median(self):
        return statistics.median(self.seconds)

    def spread(self):
        """Half the distance between the quartiles (of few repetitions: the extremes), relative to the median."""
        if len(self.seconds) < 4:
            return (max(self.seconds) - min(self.seconds)) / 2 / self.median()
        q = statistics.quantiles(self.seconds, n=4)
        return (q[2] - q[0]) / 2 / self.median()

    def processor_time(self):
        """Of one operation; what others on the machine do counts less in it."""
        return statistics.median(t * share for t, share in zip(self.seconds, self.processor))

    def close(self):
        pass


class Served(Side):
    """A program that answers "check" and "time S" (protocol.h, peers/protocol.py)."""

    def __init__(self, name, argv, env=None):
        super().__init__(name)
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=dict(os.environ, **(env or {})))

    def ask(self, line):
        try:
            self.process.stdin.write(line + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise Failed(self.process.stderr.read().strip()[-600:] or 'it ended without an answer')
        return [float(x) for x in answer.split()]

    def check(self):
        return self.ask('check')

    def used(self):
        used = 0 # of all threads that live, in nanoseconds
        for task in os.listdir(f'/proc/{self.process.pid}/task'):
            with open(f'/proc/{self.process.pid}/task/{task}/schedstat') as f:
                used += int(f.read().split()[0])
        return used / 1e9

    def round(self, seconds):
        before, start = self.used(), time.perf_counter()
        self.seconds.append(self.ask(f'time {seconds}')[0])
        self.processor.append((self.used() - before) / (time.perf_counter() - start))
        with open(f'/proc/{self.process.pid}/status') as f:
            self.memory = [int(l.split()[1]) * 1024 for l in f if l.startswith('VmHWM')][0]

    def close(self):
        self.process.kill()
        self.process.communicate()


def run_measured(argv, report):
    """(output, seconds, processor seconds, peak memory) of one command; `report`: a file to write."""
    p = subprocess.run([os.path.join(BUILT, 'measured'), report, *argv], capture_output=True, text=True)
    if p.returncode:
        raise Failed(p.stderr.strip()[-600:])
    with open(report) as f:
        seconds, used, memory = map(float, f.read().split())
    return p.stdout, seconds, used, 1024 * memory


class Start(Side):
    """Start of a command to its end."""

    def __init__(self, name, argv, work):
        super().__init__(name)
        self.argv, self.work = argv, work

    def check(self):
        return []

    def round(self, seconds):
        _, took, used, self.memory = run_measured(self.argv, os.path.join(self.work, 'measured'))
        self.seconds.append(took)
        self.processor.append(used / took)


class Steps(Side):
    """A step of infer(m, ...) as a user calls it: the command runs two fits, and the difference of their times is that of
    their steps. `options` end the call of infer, with %d for the number of steps or epochs."""

    def __init__(self, name, program, options, data, work, few=1000, flags=(), unit=1):
        super().__init__(name)
        self.text = open(program).read()
        self.options, self.data, self.work, self.few, self.flags, self.unit = options, data, work, few, flags, unit
        self.many = 0

    def run(self, counts, tail='', flags=()):
        path = os.path.join(self.work, 'steps.ppl')
        with open(path, 'w') as f:
            f.write(self.text + ''.join(f'\ninfer({self.options % n}{tail})' for n in counts) + '\n')
        argv = [PPL, 'run', '--json', '--quiet', *self.flags, *flags, path]
        for d in self.data:
            argv[2:2] = ['--data', d]
        out, took, used, memory = run_measured(argv, os.path.join(self.work, 'measured'))
        fits = [json.loads(l)['fit'] for l in out.splitlines() if l.startswith('{"fit"')]
        return fits, used / took, memory

    def check(self):
        """The ELBO that `few` steps lead to, as the fit estimates it."""
        return [self.run([self.few])[0][0]['elbo']]

    def round(self, seconds):
        if not self.many: # enough that the rest of a fit, which takes now longer, now shorter, counts little
            more, took = 2 * self.few if self.few > 10 else 1, None
            while took is None or took < seconds / 2:
                if took is not None:
                    more = int(more * min(10, max(2, seconds / max(took, 1e-9))))
                (a, b), _, _ = self.run([self.few, self.few + more])
                took = min(b['seconds'] - a['seconds'], b['seconds'] / 2)
            self.many = self.few + more
            self.memory = self.run([self.many])[2] # of one fit: a program keeps both, with their draws
        (a, b), threads, _ = self.run([self.few, self.many])
        self.seconds.append((b['seconds'] - a['seconds']) / (self.many - self.few) / self.unit)
        self.processor.append(threads)


class Svi(Steps):
    """Steps of svi with an automatic guide. Compared: the log density and its gradient at a point (`density`, a side), and
    the ELBO that the guide has after `few` steps, which the others take from its draws."""

    def __init__(self, *arguments, density, draws):
        super().__init__(*arguments)
        self.density, self.draws = density, draws

    def check(self):
        exact = self.density.check()
        self.density.close()
        fit = self.run([self.few], f', draws = {DRAWS}', ['--out', self.draws])[0][0]
        # the others' locations and scales, from draws, are off by 1/n and 1/2n of a variance: so much a number in KL
        bias = 0.75 * (len(exact) - 1) / DRAWS
        return [*exact, fit['elbo'], math.hypot(fit['elbo_mcse'], bias)]


def find_python():
    """The interpreter that has the peers: $BENCH_PYTHON, a virtual environment build/bench/venv, or this one."""
    venv = os.path.join(BUILT, 'venv', 'bin', 'python')
    return os.environ.get('BENCH_PYTHON') or (venv if os.path.exists(venv) else sys.executable)


def has_module(python, name):
    return subprocess.run([python, '-c', f'import importlib.util, sys; sys.exit(importlib.util.find_spec("{name}") is None)'],
                          capture_output=True).returncode == 0
