data { int N; int J; array[N] int county; vector[N] basement; vector[N] y; }
parameters { real a; real b; real<lower=0> sigma_a; real<lower=0> sigma_y; vector[J] z; }
model {
  vector[J] level = a + sigma_a * z;
  a ~ normal(0, 10);
  b ~ normal(0, 10);
  sigma_a ~ std_normal();
  sigma_y ~ std_normal();
  z ~ std_normal();
  y ~ normal(level[county] + b * basement, sigma_y);
}
