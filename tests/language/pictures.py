#!/usr/bin/env python3
"""Pictures in files: what `show_images` writes, decoded with zlib and compared pixel by pixel."""
import os, struct, subprocess, sys, tempfile, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
PPL = os.path.abspath(os.environ.get('PPL', os.path.join(HERE, '..', '..', 'ppl')))
GREY, NAN = 160, (213, 94, 0)


def unfilter(raw, width, height, channels):
    """The rows of a PNG (ISO 15948, 9.2), 8 bits a channel."""
    stride, rows, before, at = width * channels, [], bytearray(width * channels), 0
    for _ in range(height):
        kind, line = raw[at], bytearray(raw[at + 1:at + 1 + stride])
        at += 1 + stride
        for k in range(stride):
            left, up, corner = (line[k - channels] if k >= channels else 0), before[k], (before[k - channels] if k >= channels else 0)
            p = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(p - v))
            line[k] = (line[k] + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
        rows.append(line)
        before = line
    return rows


def decode(path):
    """(width, height, channels, pixel(row, column))"""
    with open(path, 'rb') as f:
        data = f.read()
    assert data[:8] == b'\x89PNG\r\n\x1a\n', 'no PNG'
    at, packed = 8, b''
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack('>I', data[at + 8 + length:at + 12 + length])[0]
        if kind == b'IHDR':
            width, height, depth, colour, _, _, interlaced = struct.unpack('>IIBBBBB', body)
        packed += body if kind == b'IDAT' else b''
        at += 12 + length
    assert (depth, interlaced) == (8, 0)
    channels = {0: 1, 2: 3}[colour]
    rows = unfilter(zlib.decompress(packed), width, height, channels)
    return width, height, channels, lambda i, j: rows[i][j] if channels == 1 else tuple(rows[i][j * 3:j * 3 + 3])


def run(program, folder, **environment):
    return subprocess.run([PPL, 'run', '-'], input=program, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, **environment))


def picture(program, folder, name='out.png'):
    done = run(program, folder)
    assert done.returncode == 0 and done.stderr == '', done.stderr
    return decode(os.path.join(folder, name))


def flat_images_in_a_grid(folder):
    """Three images of 2 by 2 in two rows: two columns, the last place empty; a pixel of x is zoom by zoom pixels."""
    values = [[0, 1, 0.5, 0.25], [1, 1, 0, 0], [-0.5, 0.1, 0.9, 1.5]]
    width, height, channels, pixel = picture(f'show_images({values}, 2, "out.png", zoom = 3)', folder)
    assert (width, height, channels) == (14, 14, 1), (width, height, channels)
    for i in range(14):
        for j in range(14):
            inside, n = i % 8 < 6 and j % 8 < 6, i // 8 * 2 + j // 8
            want = round(255 * min(max(values[n][i % 8 // 3 * 2 + j % 8 // 3], 0), 1)) if inside and n < 3 else GREY
            assert abs(pixel(i, j) - want) <= (want == 128), (i, j, pixel(i, j), want)


def shapes_and_ranges(folder):
    program = 'x = reshape([1, 2, 3, 4, 5, 6], 1, 6)\nshow_images(x, file = "out.png", shape = [2, 3], range = [1, 6], zoom = 1)'
    width, height, channels, pixel = picture(program, folder)
    assert (width, height, channels) == (3, 2, 1)
    assert [pixel(i, j) for i in range(2) for j in range(3)] == [0, 51, 102, 153, 204, 255]
    _, _, _, pixel = picture(program.replace('[1, 6]', '[6, 1]'), folder)  # upside down
    assert [pixel(i, j) for i in range(2) for j in range(3)] == [255, 204, 153, 102, 51, 0]
    width, height, _, _ = picture('show_images(ones(5, 4, 8), "out.png")', folder)  # small images are enlarged
    assert (width, height) == (3 * 64 + 4, 2 * 32 + 2), (width, height)


def colours(folder):
    width, height, channels, pixel = picture('x = zeros(1, 2, 2, 3)\nx[1, 1, 2] = [1, 0.2, 0]\nx[1, 2, 1, 3] = nan\n'
                                             'show_images(x, 1, "out.png", zoom = 1)', folder)
    assert (width, height, channels) == (2, 2, 3)
    assert (pixel(0, 0), pixel(0, 1), pixel(1, 0)) == ((0, 0, 0), (255, 51, 0), NAN)


def missing_pixels(folder):
    _, _, channels, pixel = picture('show_images([[0, nan, inf, -inf]], "out.png", zoom = 1)', folder)
    assert channels == 3
    assert [pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)] == [(0, 0, 0), NAN, (255,) * 3, (0, 0, 0)]


def files_are_replaced_whole(folder):
    """A link is followed, nothing else is left in the folder, and a folder that cannot be written to is an error."""
    with open(os.path.join(folder, 'target.png'), 'w', encoding='utf-8') as f:
        f.write('old')
    os.symlink('target.png', os.path.join(folder, 'out.png'))
    picture('show_images([[0, 1, 1, 0]], "out.png")', folder, 'target.png')
    assert sorted(os.listdir(folder)) == ['out.png', 'target.png'] and os.path.islink(os.path.join(folder, 'out.png'))
    done = run('show_images([[0, 1, 1, 0]], "nowhere/out.png")', folder)
    assert done.returncode == 1 and "cannot write 'nowhere/out.png': No such file or directory" in done.stderr, done.stderr


def far_outside_the_range(folder):
    done = run('show_images([[0, 255, 128, 7]], "out.png")', folder)
    assert done.returncode == 0 and 'range = [0, 255] shows all of them' in done.stderr, done.stderr


TESTS = [flat_images_in_a_grid, shapes_and_ranges, colours, missing_pixels, files_are_replaced_whole, far_outside_the_range]


def main():
    failed = 0
    for test in TESTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(folder)
            except Exception as e:  # whatever is wrong is told, and the others still run
                failed += 1
                print(f'FAIL {test.__name__}: {type(e).__name__} {e}')
    print(f'{len(TESTS) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
