"""Rows become sums: frames, cross-products, blocks of rows."""
