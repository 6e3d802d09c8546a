"""What each row and each level does to a fit: deletions in closed form, and by refitting."""
