"""Deviances and their derivatives."""
