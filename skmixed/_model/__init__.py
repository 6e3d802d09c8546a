"""What a model is made of: terms, covariance structures, families."""
