"""What the package says of itself: version, documentation, surroundings."""
