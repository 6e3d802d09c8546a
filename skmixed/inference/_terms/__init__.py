"""Tests of terms of a model, and how far terms say the same."""
