"""Power by simulation: designs of other sizes, and how often an effect is found in them."""
