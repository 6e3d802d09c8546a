"""Fitted models, and what may be asked of them."""
