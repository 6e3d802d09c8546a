"""One small rule per kind of finding, or a few that belong together."""
