"""The notation of formulas: names of columns, sides, random terms and offsets."""
