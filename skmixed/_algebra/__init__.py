"""Linear algebra of packed matrices, and the elimination of the random effects: no model in
sight."""
