"""Mathematics by hand, for the answers that several tests compare with."""
import math


def normal(x, m, s=1):
    """The log density of Normal(m, s)."""
    return -0.5 * ((x - m) / s) ** 2 - math.log(s) - 0.5 * math.log(2 * math.pi)


def bern(z, logit):
    """The log probability of z, 0 or 1."""
    return -math.log1p(math.exp(-logit if z else logit))


def log_sum(v):
    """log sum exp"""
    return max(v) + math.log(sum(math.exp(a - max(v)) for a in v))


def softmax(v):
    e = [math.exp(a - max(v)) for a in v]
    return [a / sum(e) for a in e]


def derivative(f, at, step):
    """By central differences."""
    out = []
    for k in range(len(at)):
        up, down = list(at), list(at)
        up[k] += step
        down[k] -= step
        out.append((f(up) - f(down)) / (2 * step))
    return out
