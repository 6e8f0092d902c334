"""protocol.h for the peers in Python."""
import sys
import time


def serve(call, check):
    """call(n) does the timed work n times; check() gives the numbers to compare."""
    for line in sys.stdin:
        if line.startswith('time'):
            seconds, n = float(line.split()[1]), 1
            while True: # twice as many until it takes long enough: reading the clock costs nothing then
                start = time.perf_counter()
                call(n)
                took = time.perf_counter() - start
                if took >= seconds / 2:
                    break
                n = max(2 * n, int(0.7 * n * seconds / max(took, 1e-9)))
            print(f'{took / n:.9g}', flush=True)
        else:
            print(' '.join(f'{float(x):.17g}' for x in check()), flush=True)
