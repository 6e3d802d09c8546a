"""Responses drawn from a fitted model, and the model fitted to them."""
