"""A random model with what is asked of it: a program that writes files, in stages that tests can leave out."""
import json, random

import models, oracle

METHODS = ['', '', 'method = map(), ', 'method = laplace(), ', 'method = importance(50), ', 'auto_normal(), ', 'auto_low_rank(1), ', 'auto_delta(), ',
           'method = svi(objective = IWAE(3)), ', 'method = svi(objective = ELBO(particles = 3)), ', 'optimizer = adam(0.05), ',
           'optimizer = rmsprop(0.02), ', 'auto_mvn(), method = svi(objective = Renyi(0.5)), ']
OBJECTIVES = ['', '', 'method = svi(objective = ELBO(particles = 3)), ', 'method = svi(objective = IWAE(4)), ',
              'method = svi(objective = ELBO(analytic_kl = true)), ']

POINT = '''write("b.json", {at: unconstrained_logpdf(m, u), plain: unconstrained_logpdf(m, u, jacobian = false),
                 gradient: unconstrained_gradient(m, u)})
n = len(u)
if n <= 12 {
    d = []
    for k in 1..n {
        h = 0.00001 * one_hot(k, n)
        d[k] = (unconstrained_logpdf(m, u + h) - unconstrained_logpdf(m, u - h)) / 0.00002
    }
    write("d.json", {gradient: d})
}
'''


def flat(v):
    """A list of numbers, None for what is not finite."""
    return [a for x in v for a in flat(x)] if isinstance(v, list) else [None if isinstance(v, str) else v]


class Case:
    """`stages` are letters: a, the model at a point, with derivatives (a.json, b.json, d.json); f, a fit with an automatic guide;
    g, one with a written guide; s, simulated data; m, a fit in batches."""

    def __init__(self, seed, long=0, test=False):
        self.model = m = models.Model(seed, long, 17 if test else 40)
        r = random.Random(-seed - 1)
        self.large = any(len(flat(v)) > 200 for v in m.data.values())
        self.oracle, self.why = None, ''
        try:
            if m.in_python:
                self.oracle = oracle.Oracle(m)
                self.exact, self.summed = self.oracle.joint(), self.oracle.summed()
        except (KeyError, ZeroDivisionError, OverflowError, ValueError) as e: # what the program must refuse, too, or infinite
            self.oracle, self.why = None, repr(e)
        self.latents = list(dict.fromkeys(l.name for l in m.latents if not self.oracle or l.name in self.oracle.values))
        self.steps = 3 if self.large else r.choice([1, 5, 9, 12, 30])
        self.leave = r.random() < 0.6 # discrete latents to be summed out
        plates = [s for s in m.top_plates if s[2] >= 3]
        some = r.choice(plates) if plates and r.random() < 0.4 else None
        self.batch = some and f'{{{some[0]}: {r.randint(1, some[2] - 1)}}}'
        self.method, self.objective = r.choice(METHODS), r.choice(OBJECTIVES)
        self.stages = 'ags' + ('f' if seed % (16 if test else 4) == 0 else 'm' if self.batch else '')

    def point(self):
        if not self.oracle:
            return 'u = unconstrain(m, simulate(m))\n'
        record = self.oracle.record()
        discrete = {l.name for l in self.model.latents if l.levels}
        fields = lambda names: '{' + ', '.join(f'{n}: {json.dumps(record[n])}' for n in names if n in record) + '}'
        return f'''u = unconstrain(m, {fields(l for l in self.latents if l not in discrete)})
write("a.json", {{joint: logpdf(m, {fields(self.latents)})}})
'''

    def fit(self, stage, options, draws=10):
        fields = ', '.join(['elbo: fit.elbo', 'trace: fit.trace'] + [f'{l}: fit.{l}' for l in self.latents if stage == 'f'])
        text = f'fit = infer(m, {options}draws = {draws})\nwrite("{stage}.json", {{{fields}}})\n'
        return text + ('' if self.model.nested else f'write("{stage}p.json", predict(fit, m))\n')

    def text(self, stages, over=True, plates=True):
        m, steps = self.model, f'steps = {self.steps}, '
        text = m.text(over, plates)
        if 'a' in stages:
            text += self.point() + POINT
        if 'f' in stages:
            known = any(w in self.method for w in ('map', 'laplace', 'importance'))
            text += self.fit('f', self.method + ('' if known else steps), 25)
        if 'g' in stages or 'm' in stages:
            text += m.guide(over, plates, self.leave)
        if 'g' in stages:
            text += self.fit('g', f'q, {self.objective}{steps}optimizer = sgd(0.0005), ') + 'save("g.safetensors")\n'
        if 's' in stages and not m.nested:
            text += 'write("s.json", simulate(m, 3))\n'
        if 'm' in stages:
            text += self.fit('m', f'q, batch = {self.batch}, {steps}')
        return text
