"""Means on a reference grid."""
