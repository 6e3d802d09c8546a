"""What a single model says in a few numbers."""
