"""What is wrong with a model and its data: an examination, rules, and a report."""
