#!/usr/bin/env python3
"""Pictures in files: what `show_images` writes, decoded with zlib and compared pixel by pixel; what plots tell gnuplot, and what
comes of it where it is installed.
"""
import os, re, shutil, struct, subprocess, sys, tempfile, zlib

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


def unpack(path):
    """(width, height, channels, filtered rows)"""
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
    assert kind == b'IEND' and (depth, interlaced) == (8, 0)
    channels, raw = {0: 1, 2: 3}[colour], zlib.decompress(packed)
    assert len(raw) == height * (width * channels + 1)
    return width, height, channels, raw


def decode(path):
    """(width, height, channels, pixel(row, column))"""
    width, height, channels, raw = unpack(path)
    rows = unfilter(raw, width, height, channels)
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


def script_of(program, folder, name='out.png'):
    """What gnuplot is told: the stand-in gives its input back."""
    done = run(program, folder, PATH=os.path.join(HERE, 'standin'))
    assert done.returncode == 0 and done.stderr == '', done.stderr
    with open(os.path.join(folder, name), encoding='utf-8') as f:
        return f.read()


def data_of(script):
    """The blocks of numbers, one after the other."""
    return [[[float(v) for v in line.split()] for line in block.strip().split('\n')]
            for block in re.findall(r'^\$d\d+ << END\n(.*?)^END$', script, re.M | re.S)]


def points_as_they_are(folder):
    script = script_of('x = [1, 2.5, 3]\ny = [-1e20, 7, nan]\nplot(x, y, "out.png", kind = "both", title = "it\'s `rm`_1")', folder)
    assert 'pngcairo noenhanced' in script and "set xlabel 'x'" in script and "set ylabel 'y'" in script
    assert "set label 'it''s `rm`_1' at" in script  # nothing in a text means anything to gnuplot
    lines, points = data_of(script)
    assert lines[:2] == points[:2] == [[1, -1e20], [2.5, 7]] and points[2][0] == 3 and points[2][1] != points[2][1]
    assert 'with lines' in script and 'with points' in script and '1 not finite, left out' in script
    assert 'terminal svg noenhanced' in script_of('plot([1, 2], [3, 4], "out.svg")', folder, 'out.svg')


def many_points(folder):
    """What would be drawn twice is left out; the ends, and what is not drawn at all, stay."""
    program = 'x = sin(1..%d)\nx[3] = nan\nx[4] = 1e301\nplot(x, -x, "out.png")'
    (few,), (many,) = data_of(script_of(program % 10000, folder)), data_of(script_of(program % 200000, folder))
    assert len(few) == 10000 and 1000 < len(many) <= 3000, (len(few), len(many))
    assert sum(x != x for x, _ in many) == 1 and sum(x == 1e301 for x, _ in many) == 1
    drawn = [x for x, _ in many if abs(x) <= 1]
    assert min(drawn) < -0.999 and max(drawn) > 0.999
    (line,) = data_of(script_of('x = cos((1..200000) / 1e4)\nx[77777] = 5\nplot(x, "out.png", kind = "line")', folder))
    assert 1600 <= len(line) <= 6400 and line[0][0] == 1 and line[-1][0] == 200000 and [77777, 5] in line, len(line)
    assert all(a[0] < b[0] for a, b in zip(line, line[1:]))


def lines_with_names(folder):
    script = script_of('plot([1, 2], {up: [3, 4], down: [4, 1]}, "out.png")', folder)
    assert data_of(script) == [[[1, 3], [2, 4]], [[1, 4], [2, 1]]]
    assert "with lines lw 2 lc rgb '#0072B2' title 'up', $d1 using" in script and "title 'down'" in script


def histograms(folder):
    parts, = data_of(script_of('plot([0.5, 0.5, 0.7, 1.5, 10.5], file = "out.png")', folder))
    assert [at for at, _ in parts] == [k + 1.0 for k in range(10)] and [n for _, n in parts] == [3, 1] + [0] * 7 + [1], parts
    shares, = data_of(script_of('plot([3, 4, 4, 6], "out.png")', folder))
    assert shares == [[3, 0.25], [4, 0.5], [5, 0], [6, 0.25]]


def quantiles_against_data(folder):
    """Draws 1, 2, ..., 101 at the second place: its quantiles are known. x comes in any order."""
    script = script_of('d = transpose([linspace(1, 101, 101) + 100, linspace(1, 101, 101)])\n'
                       'plot_predictive([151, 0], d, [8, 2], "out.png")', folder)
    outer, inner, median, data = data_of(script)
    assert outer == [[2, 6, 96], [8, 106, 196]] and inner == [[2, 26, 76], [8, 126, 176]], (outer, inner)
    assert median == [[2, 51], [8, 151]] and data == [[2, 0], [8, 151]]
    assert '90 % of draws (50 % of data)' in script and "'50 % (50 %)'" in script


def pairs_of_variables(folder):
    script = script_of('plot_pairs({a: linspace(1, 50, 50), b: 3 - linspace(1, 50, 50)}, "out.png")', folder)
    assert "'r = -1.00'" in script and "set title 'a'" in script and "set xlabel 'a'" in script and "set ylabel 'b'" in script
    blocks = data_of(script)
    assert len(blocks) == 3 and blocks[1] == [[k, 3 - k] for k in range(1, 51)]


def fits(folder):
    """The objective, that of held-out data, and a histogram of every element."""
    model = ('model m(y) { mu ~ Normal(0, 10)[2]; plate i in 1..len(y) { y[i] ~ Normal(mu[1] + mu[2], 1) } }\n'
             'fit = infer(m([1.0, 2.0, 3.0]), steps = 1000, held_out = m([2.0, 2.5]), every = 100)\n')
    script = script_of(model + 'plot(fit, "out.png")', folder)
    assert re.findall(r"set title '([^']*)'", script)[:2] == ['m: the objective by step', 'm: the ELBO of held-out data by step']
    assert "set title 'mu[2]   " in script
    blocks = data_of(script)
    assert len(blocks) == 2 + 2 + 2 and len(blocks[0]) == 200 and len(blocks[2]) >= 10
    stretches, held, first = blocks[1], blocks[2], blocks[4]
    assert [x for x, _ in stretches[:2]] == [3, 8] and [x for x, _ in held[:2]] == [100, 200], (stretches[:2], held[:2])
    shown = run(model + 'for k in 1..5 { print(sum(fit.trace[(200 * k - 199)..(200 * k)]) / 200) }', folder).stdout.split()
    means = [sum(y for _, y in stretches[40 * k:40 * k + 40]) / 40 for k in range(5)]
    assert all(abs(a - float(b)) < 1e-4 * abs(a) for a, b in zip(means, shown)) and len(shown) == 5, (means, shown)
    assert 3900 <= sum(n for _, n in first) <= 4000


def from_the_prompt(folder):
    done = subprocess.run([PPL, 'repl'], input=':plot [3, 4, 4], "out.svg"\n', cwd=folder, capture_output=True, text=True, timeout=60,
                          check=False, env=dict(os.environ, PATH=os.path.join(HERE, 'standin')))
    assert done.returncode == 0 and done.stdout + done.stderr == '', done.stdout + done.stderr
    with open(os.path.join(folder, 'out.svg'), encoding='utf-8') as f:
        assert len(data_of(f.read())[0]) == 2


def from_the_command_line(folder):
    """A program without a word of pictures; its summary is printed all the same."""
    with open(os.path.join(folder, 'm.ppl'), 'w', encoding='utf-8') as f:
        f.write('data y = [1, 2, 4]\nmodel m { mu ~ Normal(0, 10); plate i in 1..3 { y[i] ~ Normal(mu, 1) } }\n')
    for path, code, words in ((os.path.join(HERE, 'standin'), 0, ''), (folder, 1, 'gnuplot, which is not there')):
        done = subprocess.run([PPL, 'run', 'm.ppl', '--quiet', '--plot', 'fit.svg'], cwd=folder, capture_output=True, text=True,
                              timeout=60, check=False, env=dict(os.environ, PATH=path))
        assert done.returncode == code and words in done.stderr and 'mu ' in done.stdout, (done.stdout, done.stderr)
        with open(os.path.join(folder, 'fit.svg'), encoding='utf-8') as f:
            assert "set title 'mu   2.3" in f.read()


def gnuplot_is_missing(folder):
    done = run('plot([1, 2], "out.png")', folder, PATH=folder)
    assert done.returncode == 1 and 'gnuplot, which is not there' in done.stderr and 'gnuplot-nox' in done.stderr, done.stderr
    assert os.listdir(folder) == []


def gnuplot_fails(folder):
    """Its words are told, and the old file stays."""
    with open(os.path.join(folder, 'gnuplot'), 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\necho half a picture\necho "line 7: unknown terminal" >&2\nexit 1\n')
    os.chmod(os.path.join(folder, 'gnuplot'), 0o755)
    with open(os.path.join(folder, 'out.svg'), 'w', encoding='utf-8') as f:
        f.write('old')
    done = run('plot([1, 2], "out.svg")', folder, PATH=folder)
    assert done.returncode == 1 and 'gnuplot has failed and says: line 7: unknown terminal' in done.stderr, done.stderr
    with open(os.path.join(folder, 'out.svg'), encoding='utf-8') as f:
        assert f.read() == 'old'
    os.chmod(os.path.join(folder, 'gnuplot'), 0o644)
    done = run('plot([1, 2], "out.svg")', folder, PATH=folder)
    assert done.returncode == 1 and 'gnuplot cannot be run: Permission denied' in done.stderr, done.stderr


def bars_of_gnuplot(folder):
    """A share of 2/3 is a bar twice as high as one of 1/3."""
    width, height, channels, pixel = picture('plot([1, 2, 2], "out.png")', folder)
    assert (width, height, channels) == (800, 480, 3)
    heights = [sum(pixel(i, j) == (0, 0x72, 0xB2) for i in range(height)) for j in range(width)]
    high = max(heights)
    assert high > 300 and {round(2 * h / high) for h in heights} == {0, 1, 2}, sorted(set(heights))


def every_picture_of_gnuplot(folder):
    program = """y = [1.0, 2.0, nan, 4.0]
model m { mu ~ Normal(0, 10); tau ~ HalfNormal(1); observe 1.5 ~ Normal(mu, tau) }
fit = infer(m, steps = 500)
plot(fit, "1.png"); plot(fit.mu, "2.png"); plot(fit.mu, "3.png", kind = "density"); plot(y, "4.png", kind = "line")
plot_pairs(fit, "5.png", title = "pairs"); plot_predictive(y, draw(Normal(3, 1)[50, 4]), "6.png"); plot([nan], "7.png")
plot(fit.mu, fit.tau, "8.svg"); plot([5, 5], "9.png", kind = "points"); plot([1e300, -1e300, 0.5], "10.png")
plot([1e-320, 0], "11.png"); plot(transpose([fit.mu, fit.tau]), "12.png")
plot(zeros(3, 0), "15.png"); plot_pairs({a: [nan, nan], b: [1, 2]}, "16.png")
plot([1, 1 + 1e-15], "13.png"); plot([1e15, 1e15 + 4], [1, 1 + 1e-9], "14.png")
"""
    done = run(program, folder)
    assert done.returncode == 0 and done.stderr == '', done.stderr
    for k in [1, 2, 3, 4, 5, 6, 7, *range(9, 17)]:
        *_, raw = unpack(os.path.join(folder, f'{k}.png'))
        assert len(set(raw)) > 20, k  # not one colour
    with open(os.path.join(folder, '8.svg'), encoding='utf-8') as f:
        text = f.read()
    assert 'fit.mu' in text and 'fit.tau' in text and text.rstrip().endswith('</svg>')


IMAGES = [flat_images_in_a_grid, shapes_and_ranges, colours, missing_pixels, files_are_replaced_whole, far_outside_the_range]
PLOTS = [points_as_they_are, many_points, lines_with_names, histograms, quantiles_against_data, pairs_of_variables, fits, from_the_prompt,
         from_the_command_line, gnuplot_is_missing, gnuplot_fails]
GNUPLOT = [bars_of_gnuplot, every_picture_of_gnuplot]


def main():
    failed, tests = 0, IMAGES + PLOTS + (GNUPLOT if shutil.which('gnuplot') else [])
    if not shutil.which('gnuplot'):
        print(f'SKIP {", ".join(t.__name__ for t in GNUPLOT)}: gnuplot is not there')
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(folder)
            except Exception as e:  # whatever is wrong is told, and the others still run
                failed += 1
                print(f'FAIL {test.__name__}: {type(e).__name__} {e}')
    print(f'{len(tests) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
