"""torch_vae.py IMAGES.idx IMAGES_COUNT: epochs of the variational auto-encoder in PyTorch, single precision, written with
nothing beside: one sample, the KL in closed form is not used (the estimator is that of the program of ours)."""
import sys

import numpy as np
import torch
from protocol import serve
from torch import nn

BATCH = 256


def main():
    torch.manual_seed(1)
    torch.set_num_threads(2)
    raw = np.fromfile(sys.argv[1], dtype=np.uint8, offset=16).reshape(-1, 784)
    x = torch.from_numpy((raw > 127).astype(np.float32))
    hidden, loc, scale = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
    decode = nn.Sequential(nn.Linear(20, 400), nn.Softplus(), nn.Linear(400, 784))
    parameters = [p for m in (hidden, loc, scale, decode) for p in m.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-3, foreach=True)

    def elbo(batch):
        h = nn.functional.softplus(hidden(batch))
        m, log_s = loc(h), scale(h)
        eps = torch.randn_like(m)
        z = m + log_s.exp() * eps
        logits = decode(z)
        likelihood = -nn.functional.binary_cross_entropy_with_logits(logits, batch, reduction='sum')
        return likelihood + (-0.5 * z * z + 0.5 * eps * eps + log_s).sum()

    def call(n):
        for _ in range(n):
            order = torch.randperm(len(x))
            for k in range(0, len(x) - BATCH + 1, BATCH):
                batch = x[order[k:k + BATCH]]
                adam.zero_grad()
                (-elbo(batch) * (len(x) / BATCH)).backward()
                adam.step()

    def check():
        call(int(sys.argv[2]))
        with torch.no_grad():
            return [sum(elbo(x[k:k + 1000]).item() for k in range(0, len(x), 1000))]

    serve(call, check)


main()
