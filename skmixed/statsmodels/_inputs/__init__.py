"""What a model is made of: arrays, formulas, groups and variance components."""
