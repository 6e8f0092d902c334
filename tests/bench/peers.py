"""The peers that are installed: Pyro, NumPyro and PyTorch in one Python (find_python), Stan through its C++ headers."""
import os
import random
import subprocess

from sides import BUILT, HERE, Served, Start, Steps, find_python, has_module

SIDE = os.path.join(HERE, 'peers')
STAN_FLAGS = ['-O3', '-march=native', '-std=c++17', '-w', '-D_REENTRANT', '-DBOOST_DISABLE_ASSERTS']


class Peers:
    def __init__(self, folder, python, modules, stan):
        self.folder, self.python, self.modules, self.stan = folder, python, modules, stan

    def has(self, name):
        return name in self.modules

    def explain(self):
        for name in ('pyro', 'numpyro', 'torch'):
            if not self.has(name):
                print(f'{name}: not installed, skipped')
        if not self.stan:
            print('stan: no httpstan or CmdStan found, skipped')

    def start(self):
        return [Start('import ' + m, [self.python, '-c', 'import ' + m], self.folder) for m in ('pyro', 'numpyro') if self.has(m)]

    def script(self, title, name, *arguments):
        return Served(title, [self.python, os.path.join(SIDE, name), *arguments])

    def gradient(self, files):
        sides = []
        if self.stan:
            sides.append(self.stan_side(files))
        if self.has('numpyro') and files.name in ('schools', 'logistic', 'varying'):
            sides.append(self.script('NumPyro (jit)', 'numpyro_side.py', 'gradient', files.name, files.json, files.point_f64))
        return [s for s in sides if s]

    def stan_side(self, files):
        """Compiled once for each text of model and driver; kept in build/bench."""
        include, library, stanc = self.stan
        source, driver = os.path.join(HERE, 'works', files.name + '.stan'), os.path.join(SIDE, 'stan_driver.cpp')
        built = os.path.join(BUILT, 'stan_' + files.name)
        if not os.path.exists(built) or os.path.getmtime(built) < max(map(os.path.getmtime, (source, driver))):
            print(f'  compiling {files.name}.stan ...', flush=True)
            subprocess.run([stanc, '--O1', '--name=' + files.name, '--o=' + built + '.hpp', source], check=True,
                           capture_output=True)
            with open(built + '.cpp', 'w') as f:
                f.write(open(built + '.hpp').read() + open(driver).read())
            made = subprocess.run(['g++', *STAN_FLAGS, *(f'-I{i}' for i in include), '-I' + HERE, '-o', built, built + '.cpp',
                                   '-L' + library, '-ltbb', '-Wl,-rpath,' + library], capture_output=True, text=True)
            if made.returncode:
                print('  Stan: does not compile:', made.stderr[:400])
                return None
        return Served('Stan -O3', [built, files.json, files.point_f64])

    def svi(self, files):
        modes = [('jit', 'Pyro (jit)'), ('eager', 'Pyro (eager)')] if self.has('pyro') else []
        common = (files.name, files.json, files.point_f64, files.draws)
        sides = [self.script(title, 'pyro_side.py', mode, *common) for mode, title in modes]
        if self.has('numpyro'):
            sides.append(self.script('NumPyro (jit loop)', 'numpyro_side.py', 'svi', *common))
        return sides

    def epochs(self, name, batch, count, threads, few):
        """Epochs of works/<name>.ppl on `count` images, and the same in peers/torch_<name>.py."""
        images = os.path.join(self.folder, f'images_{count}.idx')
        if not os.path.exists(images):
            write_images(images, count)
        options = f'm(train), q(train), batch = {{i: {batch}}}, epochs = %d, optimizer = adam(1e-3), draws = 10'
        sides = [Steps('ppl', os.path.join(HERE, 'works', name + '.ppl'), options, ['images=' + images], self.folder, few,
                       flags=('--precision', 'single', '--threads', str(threads)))]
        if self.has('torch'):
            env = {'OMP_NUM_THREADS': str(threads)}
            sides.append(Served('PyTorch', [self.python, os.path.join(SIDE, f'torch_{name}.py'), images, str(few)], env))
        return sides


def write_images(path, count):
    """Ten templates of 784 pixels, each pixel flipped with probability 1/16."""
    r = random.Random(1)
    some = lambda share: int.from_bytes(r.randbytes(784).translate(bytes(255 if k < 256 * share else 0 for k in range(256))))
    templates = [some(0.3) for _ in range(10)]
    with open(path, 'wb') as f:
        f.write(bytes([0, 0, 8, 3]) + b''.join(n.to_bytes(4) for n in (count, 28, 28)))
        for _ in range(count):
            f.write((r.choice(templates) ^ some(1 / 16)).to_bytes(784))


def find_stan(python):
    """(include folders, folder of libtbb, stanc) of CmdStan ($CMDSTAN) or of the Python package httpstan, or None."""
    home = os.environ.get('CMDSTAN')
    if home:
        math = os.path.join(home, 'stan', 'lib', 'stan_math')
        lib = os.path.join(math, 'lib')
        folders = [os.path.join(home, 'stan', 'src'), math]
        folders += [os.path.join(lib, d, *('include',) * ('eigen' not in d and 'boost' not in d and 'rapidjson' not in d))
                    for d in (os.listdir(lib) if os.path.isdir(lib) else [])]
        return folders, os.path.join(lib, 'tbb'), os.path.join(home, 'bin', 'stanc')
    asked = subprocess.run([python, '-c', 'import importlib.util as u; print(u.find_spec("httpstan").submodule_search_locations[0])'],
                           capture_output=True, text=True)
    if asked.returncode:
        return None
    home = asked.stdout.strip()
    return [os.path.join(home, 'include')], os.path.join(home, 'lib'), os.path.join(home, 'stanc')


def find(folder):
    python = find_python()
    return Peers(folder, python, [m for m in ('pyro', 'numpyro', 'torch') if has_module(python, m)], find_stan(python))


class None_(Peers):
    def explain(self):
        pass


def none(folder):
    return None_(folder, None, [], None)
