"""Tests of the fixed effects: covariances, degrees of freedom, hypotheses."""
