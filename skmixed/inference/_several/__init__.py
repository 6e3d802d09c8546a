"""Several models together: pooled, or side by side."""
