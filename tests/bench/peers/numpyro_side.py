"""numpyro_side.py gradient|svi WORK DATA.json POINT.f64 [DRAWS.safetensors]: the works in NumPyro, double precision, compiled
by jit; steps of svi run inside one compiled loop, its fastest way."""
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
from protocol import drawn, serve

jax.config.update('jax_enable_x64', True)
RATE = 0.01


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


def latents(model, data):
    """name -> constraint, in the order of the program; z is summed out"""
    with handlers.seed(rng_seed=0), handlers.trace() as trace:
        model(**data)
    return {n: s['fn'].support for n, s in trace.items()
            if s['type'] == 'sample' and not s['is_observed'] and not s['infer'].get('enumerate')}


def gradient(model, data, point):
    """The potential's gradient at the point; the sites in the order of the program."""
    info = util.initialize_model(jax.random.PRNGKey(0), model, model_kwargs=data)
    names = list(latents(model, data))
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


def svi(model, data, point, draws):
    elbo = TraceEnum_ELBO() if model is mixture else Trace_ELBO()
    hidden = handlers.block(model, hide=['z']) if model is mixture else model
    guide = autoguide.AutoNormal(hidden, init_loc_fn=init_to_median)
    s = SVI(model, guide, numpyro.optim.Adam(RATE), elbo)
    start = s.init(jax.random.PRNGKey(1), **data)
    loop = jax.jit(lambda state, n: lax.fori_loop(0, n, lambda _, st: s.update(st, **data)[0], state))
    jax.block_until_ready(loop(start, 1))

    def call(n):
        jax.block_until_ready(loop(start, n))

    def fitted():
        """The guide's parameters: what ours has fitted."""
        params = {}
        for name, support in latents(model, data).items():
            free = dist.biject_to(support).inv(drawn(draws, name))
            params[name + '_auto_loc'], params[name + '_auto_scale'] = free.mean(0), free.std(0)
        return params

    def check():
        params = fitted()
        value = jax.jit(jax.vmap(lambda k: -elbo.loss(k, params, model, guide, **data)))
        values = np.concatenate([value(jax.random.split(jax.random.PRNGKey(k), 100)) for k in range(40)])
        state = s.init(jax.random.PRNGKey(1), init_params=params, **data)
        after = s.get_params(loop(state, 1)) # Adam's first step moves every number by its rate
        for name in params:
            moved = np.abs(after[name] - params[name])
            assert not name.endswith('_loc') or np.all(np.abs(moved - RATE) < 1e-5), f'a step has moved {name} by {moved}'
        return [*gradient(model, data, point)[1](), values.mean(), values.std() / len(values) ** 0.5]

    return call, check


def main():
    kind, work, path, point = sys.argv[1:5]
    data = {k: np.asarray(v) if isinstance(v, list) else v for k, v in json.load(open(path)).items()}
    model, point = globals()[work], np.fromfile(point)
    numpyro.set_platform('cpu')
    serve(*(gradient(model, data, point) if kind == 'gradient' else svi(model, data, point, sys.argv[5])))


main()
