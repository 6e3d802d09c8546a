"""What the user gives: tables, labels, rows, arguments."""
