"""Averages of predictions."""
