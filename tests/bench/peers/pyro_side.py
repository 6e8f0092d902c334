"""pyro_side.py MODE WORK DATA.json FEW: steps of svi in Pyro, double precision; MODE: eager or jit."""
import json
import sys
import warnings

import pyro
import pyro.distributions as dist
import torch
from protocol import serve
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, JitTraceEnum_ELBO, Trace_ELBO, TraceEnum_ELBO, autoguide

warnings.filterwarnings('ignore')
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


def main():
    mode, work, path, few = sys.argv[1:5]
    data = {k: torch.tensor(v, dtype=torch.float64) if isinstance(v, list) else v for k, v in json.load(open(path)).items()}
    model = globals()[work]
    torch.manual_seed(1)
    enumerated = work == 'mixture'
    guide = autoguide.AutoNormal(poutine.block(model, hide=['z']) if enumerated else model,
                                 init_loc_fn=autoguide.init_to_median)
    options = {'max_plate_nesting': 1}
    plain = TraceEnum_ELBO if enumerated else Trace_ELBO
    objective = {'eager': plain, 'jit': JitTraceEnum_ELBO if enumerated else JitTrace_ELBO}[mode]
    if mode == 'jit':
        options['ignore_jit_warnings'] = True
    svi = SVI(lambda: model(**data), lambda: guide(**data), pyro.optim.Adam({'lr': 0.01}), objective(**options))

    def call(n):
        for _ in range(n):
            svi.step()

    def check(): # ours starts at the mode: large steps first
        for rate in (0.1, 0.01):
            train = SVI(lambda: model(**data), lambda: guide(**data), pyro.optim.Adam({'lr': rate}), objective(**options))
            for _ in range(int(few) // 2):
                train.step()
        judge = SVI(lambda: model(**data), lambda: guide(**data), pyro.optim.Adam({'lr': 0.01}), plain(max_plate_nesting=1))
        with torch.no_grad():
            return [-sum(judge.evaluate_loss() for _ in range(300)) / 300]

    serve(call, check)


main()
