data { int T; vector[T] y; }
parameters { vector[T] x; }
model {
  x[1] ~ std_normal();
  x[2:T] ~ normal(x[1:(T - 1)], 1);
  y ~ normal(x, 1);
}
