"""Where the deviance is lowest: a minimiser on a manifold, and what the boundary needs."""
