"""Models beside each other: likelihood ratios and what is on their boundary."""
