"""numpyro_side.py gradient|svi WORK DATA.json POINT.f64: the works in NumPyro, double precision, compiled by jit; steps of
svi run inside one compiled loop, its fastest way."""
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import lax
from numpyro import handlers
from numpyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO, autoguide, init_to_median, util
from protocol import serve

jax.config.update('jax_enable_x64', True)


def schools(y, sigma, J):
    mu = numpyro.sample('mu', dist.Normal(0, 5))
    tau = numpyro.sample('tau', dist.HalfCauchy(5))
    with numpyro.plate('j', J):
        z = numpyro.sample('z', dist.Normal(0, 1))
        numpyro.sample('y', dist.Normal(mu + tau * z, sigma), obs=y)


def logistic(X, y, N, D):
    beta = numpyro.sample('beta', dist.Normal(0, 1).expand([D]).to_event(1))
    with numpyro.plate('n', N):
        numpyro.sample('y', dist.Bernoulli(logits=X @ beta), obs=y)


def varying(county, basement, y, J, N):
    a = numpyro.sample('a', dist.Normal(0, 10))
    b = numpyro.sample('b', dist.Normal(0, 10))
    sigma_a = numpyro.sample('sigma_a', dist.HalfNormal(1))
    sigma_y = numpyro.sample('sigma_y', dist.HalfNormal(1))
    with numpyro.plate('j', J):
        z = numpyro.sample('z', dist.Normal(0, 1))
    with numpyro.plate('n', N):
        numpyro.sample('y', dist.Normal(a + sigma_a * z[county - 1] + b * basement, sigma_y), obs=y)


def walk(y, T):
    x = numpyro.sample('x_1', dist.Normal(0, 1))
    numpyro.sample('y_1', dist.Normal(x, 1), obs=y[0])
    for t in range(1, T):
        x = numpyro.sample(f'x_{t + 1}', dist.Normal(x, 1))
        numpyro.sample(f'y_{t + 1}', dist.Normal(x, 1), obs=y[t])


def mixture(y, K, N):
    weights = numpyro.sample('weights', dist.Dirichlet(jnp.ones(K)))
    with numpyro.plate('k', K):
        loc = numpyro.sample('loc', dist.Normal(0, 10))
        scale = numpyro.sample('scale', dist.LogNormal(0, 1))
    with numpyro.plate('n', N):
        z = numpyro.sample('z', dist.Categorical(weights), infer={'enumerate': 'parallel'})
        numpyro.sample('y', dist.Normal(loc[z], scale[z]), obs=y)


def gradient(model, data, point):
    """The potential's gradient at the point; the sites in the order of the program."""
    info = util.initialize_model(jax.random.PRNGKey(0), model, model_kwargs=data)
    with handlers.seed(rng_seed=0), handlers.trace() as trace:
        model(**data)
    names = [n for n, s in trace.items() if s['type'] == 'sample' and not s['is_observed']]
    shapes = [info.param_info.z[n].shape for n in names]

    def unpack(x):
        out, at = {}, 0
        for n, s in zip(names, shapes):
            size = int(np.prod(s))
            out[n], at = jnp.reshape(x[at:at + size], s), at + size
        return out

    f = jax.jit(jax.value_and_grad(lambda x: -info.potential_fn(unpack(x))))
    x = jnp.asarray(point)

    def call(n):
        for _ in range(n):
            v, g = f(x)
        g.block_until_ready()

    def check():
        v, g = f(x)
        return [float(v), *np.asarray(g)]

    return call, check


def svi(model, data, few):
    elbo = TraceEnum_ELBO() if model is mixture else Trace_ELBO()
    hidden = handlers.block(model, hide=['z']) if model is mixture else model
    guide = autoguide.AutoNormal(hidden, init_loc_fn=init_to_median)
    s = SVI(model, guide, numpyro.optim.Adam(0.01), elbo)
    start = jax.jit(lambda: s.init(jax.random.PRNGKey(1), **data))()
    loop = jax.jit(lambda state, n: lax.fori_loop(0, n, lambda _, st: s.update(st, **data)[0], state))
    loop(start, 1)

    def call(n):
        jax.block_until_ready(loop(start, n))

    def check(): # ours starts at the mode: large steps first
        rate = lambda i: jnp.where(i < few // 2, 0.1, 0.01)
        trained = SVI(model, guide, numpyro.optim.Adam(rate), elbo)
        state = jax.jit(lambda: trained.init(jax.random.PRNGKey(1), **data))()
        state = jax.jit(lambda st: lax.fori_loop(0, few, lambda _, s: trained.update(s, **data)[0], st))(state)
        value = jax.jit(lambda k: -elbo.loss(k, s.get_params(state), model, guide, **data))
        return [np.mean([float(value(jax.random.PRNGKey(k))) for k in range(1000)])]

    return call, check


def main():
    kind, work, path, point, few = sys.argv[1:6]
    data = {k: np.asarray(v) if isinstance(v, list) else v for k, v in json.load(open(path)).items()}
    model = globals()[work]
    numpyro.set_platform('cpu')
    serve(*(gradient(model, data, np.fromfile(point)) if kind == 'gradient' else svi(model, data, int(few))))


main()
