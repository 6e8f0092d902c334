"""Programs in which the ways of run.py once differed, or that crashed. Each writes files."""

FOUND = {
    # what simplifying made of it was computed from numbers that were not kept
    'a choice that is always the same': '''
model m { a ~ Normal(0, 1);  b ~ Beta(1, 0.2 + softplus(where(2.6 > 0.3, 1.585, a)));  factor(-a^2) }
write("a.json", {gradient: unconstrained_gradient(m, [0.3, 0.2])})
''',
    # equal constants were found, or not, by where they lay: gradients added up in another order in every other run
    'loops in a loop that share what they compute': '''
data x = [2.095, -0.581, -1.006, -0.676, 0.527, -1.041, -1.125, 0.544, 0.031, 0.069, 0.94, 0.609, -1.433, 0.448, -1.347, -1.915, -1.079]
data g = [1, 2, 2]
model m {
    a ~ Normal(0.2, 2.5)
    b ~ Gamma(0.47, 1.28)
    c ~ StudentT(5, tanh(0.7), 0.3 + b)
    w ~ Dirichlet([2, 2])
    for t in 1..17 {
        l[t] ~ Normal(tanh(logsumexp([0.167, -1.461, -0.053])), 0.3 + b)
        y[t] ~ Binomial(5, 0.05 + 0.9 * sigmoid(c))
        n = 0.1
        for j in 1..3 { n = tanh(n + sum([t / 17, l[t], w[1], w[g[j]], x[t], -0.032, c, l[t]]) * (0.429 - -0.566)) }
        factor(n)
    }
}
fit = infer(m, method = laplace(), draws = 25)
write("a.json", {trace: fit.trace, a: fit.a})
''',
    # a program recorded where all of a batch were missing left out the observations of other batches
    'batches in which all data are missing': '''
data y = [missing, 0, 0, missing, missing]
model m { a ~ Normal(0, 1);  plate j in 1..5 { y[j] ~ Normal(a, 1) } }
fit = infer(m, batch = {j: 1}, steps = 30, draws = 50)
write("a.json", {trace: fit.trace, elbo: fit.elbo})
''',
    # ... or added them up in another order
    'batches of one, data missing': '''
data y = [[missing], [missing], [missing], [1.468], [missing], [0.897], [2.223], [0.574], [2.172]]

model m {
    a ~ Normal(tanh(log(sqrt((0.3 + (tanh(-1.442) ^ 2))))), sqrt((0.3 + (tanh(tanh(1.965)) ^ 2))))
    b ~ Laplace((-0.689 / 1.37), exp((0.4 * tanh((a - a)))))
    c ~ Laplace(tanh((0.154 / (0.2 + softplus(b)))), sqrt((0.3 + (tanh(b) ^ 2))))
    v ~ MultivariateNormal([erf(a), atan(c)], (1.49 * ((1 - (0.05 + (0.9 * sigmoid(sum([c, 0.557, -0.722]))))) * eye(2) + (0.05 + (0.9 * sigmoid(sum([c, 0.557, -0.722])))) * ones(2, 2))))
    plate i in 1..9 {
        plate j in 1..1 {
            y[i, j] ~ Exponential(exp((0.4 * tanh(c))))
        }
    }
}
fit = infer(m, batch = {i: 1}, steps = 40, draws = 10)

write("a.json", {trace: fit.trace, elbo: fit.elbo})
''',
}
