"""protocol.h for the peers in Python; what ours has drawn."""
import json
import struct
import sys
import time

import numpy as np


def drawn(path, site):
    """The draws of a site in a file of `ppl run --out`, [draws, ...]; the site x_3 has those of x[3]."""
    with open(path, 'rb') as f:
        size = struct.unpack('<Q', f.read(8))[0]
        arrays, start = json.loads(f.read(size)), 8 + size
        name, _, index = (site, '', '') if site in arrays else site.rpartition('_')
        begin, end = arrays[name]['data_offsets']
        f.seek(start + begin)
        found = np.frombuffer(f.read(end - begin)).reshape(arrays[name]['shape'])
    return found[:, int(index) - 1] if index else found


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
