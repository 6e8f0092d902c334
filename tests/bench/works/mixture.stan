data { int N; int K; vector[N] y; }
parameters { simplex[K] weights; vector[K] loc; vector<lower=0>[K] scale; }
model {
  vector[K] log_weights = log(weights);
  weights ~ dirichlet(rep_vector(1, K));
  loc ~ normal(0, 10);
  scale ~ lognormal(0, 1);
  for (n in 1:N) {
    vector[K] lp = log_weights;
    for (k in 1:K) lp[k] += normal_lpdf(y[n] | loc[k], scale[k]);
    target += log_sum_exp(lp);
  }
}
