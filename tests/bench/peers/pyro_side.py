"""pyro_side.py MODE WORK DATA.json POINT.f64 DRAWS.safetensors: steps of svi in Pyro, double precision; MODE: eager or jit."""
import json
import math
import sys
import time
import warnings

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from protocol import drawn, serve
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, JitTraceEnum_ELBO, Trace_ELBO, TraceEnum_ELBO, autoguide
from pyro.infer.mcmc.util import initialize_model
from pyro.nn import PyroParam
from torch.distributions import biject_to

warnings.filterwarnings('ignore')
pyro.enable_validation(False)
torch.set_num_threads(1) # a second one waits in a busy loop: 80 ms a step instead of 2 on the mixture
torch.set_default_dtype(torch.float64)


def schools(y, sigma, J):
    mu = pyro.sample('mu', dist.Normal(0., 5.))
    tau = pyro.sample('tau', dist.HalfCauchy(torch.tensor(5.)))
    with pyro.plate('j', J):
        z = pyro.sample('z', dist.Normal(0., 1.))
        pyro.sample('y', dist.Normal(mu + tau * z, sigma), obs=y)


def logistic(X, y, N, D):
    beta = pyro.sample('beta', dist.Normal(0., 1.).expand([D]).to_event(1))
    with pyro.plate('n', N):
        pyro.sample('y', dist.Bernoulli(logits=X @ beta), obs=y)


def varying(county, basement, y, J, N):
    a = pyro.sample('a', dist.Normal(0., 10.))
    b = pyro.sample('b', dist.Normal(0., 10.))
    sigma_a = pyro.sample('sigma_a', dist.HalfNormal(torch.tensor(1.)))
    sigma_y = pyro.sample('sigma_y', dist.HalfNormal(torch.tensor(1.)))
    with pyro.plate('j', J):
        z = pyro.sample('z', dist.Normal(0., 1.))
    with pyro.plate('n', N):
        pyro.sample('y', dist.Normal(a + sigma_a * z[county.long() - 1] + b * basement, sigma_y), obs=y)


def walk(y, T):
    x = pyro.sample('x_1', dist.Normal(0., 1.))
    pyro.sample('y_1', dist.Normal(x, 1.), obs=y[0])
    for t in range(1, T):
        x = pyro.sample(f'x_{t + 1}', dist.Normal(x, 1.))
        pyro.sample(f'y_{t + 1}', dist.Normal(x, 1.), obs=y[t])


def mixture(y, K, N):
    weights = pyro.sample('weights', dist.Dirichlet(torch.ones(K)))
    with pyro.plate('k', K):
        loc = pyro.sample('loc', dist.Normal(0., 10.))
        scale = pyro.sample('scale', dist.LogNormal(0., 1.))
    with pyro.plate('n', N):
        z = pyro.sample('z', dist.Categorical(weights), infer={'enumerate': 'parallel'})
        pyro.sample('y', dist.Normal(loc[z], scale[z]), obs=y)


RATE, SECONDS, MOST = 0.01, 10, 4000


def density(model, data, latents, point):
    """The log density at a point of unconstrained space and its gradient; the sites in the order of the program."""
    _, potential, _, _ = initialize_model(model, model_kwargs=data, max_plate_nesting=1)
    x, at, sites = torch.tensor(point, requires_grad=True), 0, {}
    for name, site in latents.items():
        free = biject_to(site['fn'].support).inv(site['value'])
        sites[name], at = x[at:at + free.numel()].reshape(free.shape), at + free.numel()
    value = -potential(sites)
    value.backward()
    return [value.item(), *x.grad.tolist()]


def main():
    mode, work, path, point, draws = sys.argv[1:6]
    data = {k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v for k, v in json.load(open(path)).items()}
    model = globals()[work]
    torch.manual_seed(1)
    enumerated = work == 'mixture'
    hidden = poutine.block(model, hide=['z']) if enumerated else model
    guide = autoguide.AutoNormal(hidden, init_loc_fn=autoguide.init_to_median)
    options = {'max_plate_nesting': 1}
    plain = TraceEnum_ELBO if enumerated else Trace_ELBO
    objective = {'eager': plain, 'jit': JitTraceEnum_ELBO if enumerated else JitTrace_ELBO}[mode]
    if mode == 'jit':
        options['ignore_jit_warnings'] = True
    svi = SVI(lambda: model(**data), lambda: guide(**data), pyro.optim.Adam({'lr': RATE}), objective(**options))

    def call(n):
        for _ in range(n):
            svi.step()

    def bound(seconds):
        """The ELBO of the guide as it is and its standard error."""
        judge, values = plain(max_plate_nesting=1), []
        end = time.monotonic() + seconds
        with torch.no_grad():
            while len(values) < MOST and (time.monotonic() < end or len(values) < 100):
                values.append(-judge.loss(svi.model, svi.guide))
        return np.mean(values), np.std(values) / math.sqrt(len(values))

    def check():
        guide(**data)
        latents = dict(guide.prototype_trace.iter_stochastic_nodes())
        for name, site in latents.items():
            free = biject_to(site['fn'].support).inv(torch.tensor(drawn(draws, name)))
            for values, to, limits in ((free.mean(0), guide.locs, dist.constraints.real), (free.std(0), guide.scales, guide.scale_constraint)):
                setattr(to, name, PyroParam(values.clone(), limits))
        exact, (elbo, error) = density(model, data, latents, np.fromfile(point)), bound(SECONDS)
        before = {n: getattr(guide.locs, n).detach().clone() for n in latents}
        call(1) # Adam's first step moves every number by its rate
        for n, loc in before.items():
            moved = (getattr(guide.locs, n).detach() - loc).abs()
            assert ((moved - RATE).abs() < 1e-5).all(), f'a step has moved {n} by {moved}, not by {RATE}'
        call(5) # the first ones are compiled
        return [*exact, elbo, error]

    serve(call, check)


main()
