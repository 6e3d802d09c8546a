"""What is printed and warned of."""
