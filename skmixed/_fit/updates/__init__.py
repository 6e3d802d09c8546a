"""Fits whose effects know further rows."""
