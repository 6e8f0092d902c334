"""torch_iterative.py IMAGES.idx EPOCHS_OF_CHECK: epochs of iterative amortised inference in PyTorch, single precision, with
no more arithmetic than the method needs: what the encoder makes of the images once per batch and its gradient once, the
decoder's own gradients in the last pass alone, no memory of earlier steps. The estimators are those of works/iterative.ppl."""
import math
import sys

import numpy as np
import torch
from protocol import serve
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, elu

BATCH, STEPS, HIDDEN, LATENT = 64, 5, 256, 32


def main():
    torch.manual_seed(1)
    raw = np.fromfile(sys.argv[1], dtype=np.uint8, offset=16).reshape(-1, 784)
    x = torch.from_numpy((raw > 127).astype(np.float32))
    decode = nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, 784))
    scale, shift = nn.Parameter(torch.ones(2 * LATENT)), nn.Parameter(torch.zeros(2 * LATENT))
    first, second = nn.Linear(4 * LATENT + 1, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
    heads = nn.Linear(HIDDEN, 4 * LATENT)
    images_in = nn.Parameter(torch.empty(784, HIDDEN))
    for layer in (*decode[::2], first, second, heads):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    edge = math.sqrt(6 / (784 + 4 * LATENT + 1 + HIDDEN))
    nn.init.uniform_(first.weight, -edge, edge)
    nn.init.uniform_(images_in, -edge, edge)
    edge = math.sqrt(6 / (HIDDEN + LATENT)) # four heads in one product
    nn.init.uniform_(heads.weight, -edge, edge)
    theta = list(decode.parameters())
    phi = [scale, shift, *(p for m in (first, second, heads) for p in m.parameters())]
    adam = torch.optim.Adam([*theta, *phi, images_in], lr=1e-3, fused=True)

    def elbo(batch, loc, log_scale):
        eps = torch.randn_like(loc)
        z = loc + log_scale.exp() * eps
        likelihood = -binary_cross_entropy_with_logits(decode(z), batch, reduction='sum')
        return likelihood + (-0.5 * z * z + 0.5 * eps * eps + log_scale).sum()

    def improved(loc, log_scale, g, seen):
        centred = g - g.mean(-1, keepdim=True)
        normed = centred * (centred.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * scale + shift
        length = (g.norm(dim=-1, keepdim=True) + 1e-6).log()
        h = elu(second(elu(first(torch.cat((loc, log_scale, normed, length), -1)) + seen)))
        to_loc, gate_loc, to_scale, gate_scale = heads(h).chunk(4, -1)
        a, b = gate_loc.sigmoid(), gate_scale.sigmoid()
        return a * loc + (1 - a) * to_loc, (b * log_scale + (1 - b) * to_scale).clamp(-7.5, 7.5)

    def step(batch, learn=True):
        """The ELBO after each step."""
        with torch.no_grad():
            seen = batch @ images_in
        seen.requires_grad_()
        lam = [torch.zeros(len(batch), LATENT, requires_grad=True) for _ in range(2)]
        after = []
        for t in range(STEPS + 1):
            for p in theta:
                p.requires_grad_(t == STEPS and learn)
            if t:
                lam = improved(*(v.detach() for v in lam), torch.cat([v.grad for v in lam], -1), seen)
                for v in lam:
                    v.retain_grad()
            after.append(elbo(batch, *lam))
            after[-1].backward()
        if learn:
            images_in.grad = batch.T @ seen.grad
            torch._foreach_mul_([p.grad for p in (*phi, images_in)], 1 / STEPS)
        return after

    def call(n):
        for _ in range(n):
            order = torch.randperm(len(x))
            for k in range(0, len(x) - BATCH + 1, BATCH):
                step(x[order[k:k + BATCH]])
                for p in (*theta, *phi, images_in):
                    p.grad.neg_()
                adam.step()
                adam.zero_grad(set_to_none=False)

    def check():
        call(int(sys.argv[2]))
        found = sum(step(x[k:k + 1000], learn=False)[-1].item() for k in range(0, len(x), 1000))
        adam.zero_grad()
        return [found]

    serve(call, check)


main()
