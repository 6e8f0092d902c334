"""Seeded data of the works: name -> (data by name, a point in unconstrained space). floor.c reads the arrays in the order
they have here."""
import math
import random


def schools(r, size=8):
    y = [28, 8, -3, 7, -1, 1, 18, 12]
    sigma = [15, 10, 16, 11, 9, 11, 10, 18]
    if size != 8:
        y, sigma = [r.gauss(5, 15) for _ in range(size)], [r.uniform(9, 18) for _ in range(size)]
    return {'y': y, 'sigma': sigma, 'J': size}, 2 + size


def logistic(r, size=1000, D=20):
    beta = [r.gauss(0, 1) / math.sqrt(D) for _ in range(D)]
    X = [[r.gauss(0, 1) for _ in range(D)] for _ in range(size)]
    y = [int(r.random() < 1 / (1 + math.exp(-sum(a * b for a, b in zip(row, beta))))) for row in X]
    return {'X': X, 'y': y, 'N': size, 'D': D}, D


def varying(r, size=919, J=85):
    z = [r.gauss(0, 1) for _ in range(J)]
    county = [1 + k for k in range(J)][:size] + [r.randint(1, J) for _ in range(size - J)]
    floor = [int(r.random() < 0.17) for _ in range(size)]
    y = [1.5 + 0.3 * z[c - 1] - 0.7 * f + r.gauss(0, 0.75) for c, f in zip(county, floor)]
    return {'county': county, 'basement': floor, 'y': y, 'J': J, 'N': size}, 4 + J


def walk(r, size=200):
    x, y = 0, []
    for _ in range(size):
        x += r.gauss(0, 1)
        y.append(x + r.gauss(0, 1))
    return {'y': y, 'T': size}, size


def mixture(r, size=200, K=3):
    loc = [4 * k - 2 * (K - 1) for k in range(K)]
    return {'y': [r.gauss(r.choice(loc), 1) for _ in range(size)], 'K': K, 'N': size}, 3 * K - 1


def gauss_mix(r, size=1000):
    return {'y': [r.gauss(-2.75, 1) if r.random() < 0.4 else r.gauss(2.75, 1) for _ in range(size)], 'N': size}, 5


def ark(r, size=200, K=5):
    beta, y = [0.7, -0.3, 0.2, -0.1, 0.05][:K], [r.gauss(0, 0.2) for _ in range(K)]
    while len(y) < size:
        y.append(0.02 + sum(b * y[-1 - k] for k, b in enumerate(beta)) + r.gauss(0, 0.15))
    return {'K': K, 'y': y, 'T': size}, K + 2


def garch(r, size=200):
    s, y = 0.5, []
    for _ in range(size):
        y.append(5 + r.gauss(0, s))
        s = math.sqrt(1.5 + 0.4 * (y[-1] - 5) ** 2 + 0.3 * s * s)
    return {'y': y, 'sigma1': 0.5, 'T': size}, 4


def gp(r, size=11):
    x = [-10 + 20 * k / (size - 1) for k in range(size)]
    return {'x': x, 'y': [3 * math.sin(v / 4) + r.gauss(0, 0.8) for v in x], 'N': size}, 3


WORKS = {f.__name__: f for f in (schools, logistic, varying, walk, mixture, gauss_mix, ark, garch, gp)}


def make(name, **sizes):
    data, n = WORKS[name](random.Random(name), **sizes)
    r = random.Random(name + ' point')
    return data, [r.gauss(0, 0.3) for _ in range(n)]
