"""Blocks of rows that a model asks again and again, wherever they are."""
