"""Contrasts of what follows from a fit: errors, adjustments, tables."""
