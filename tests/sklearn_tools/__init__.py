"""What the estimators do inside scikit-learn's tools, as a page that a test keeps true.

``python -m tests.sklearn_tools`` writes ``docs/sklearn_tools.md`` again.
"""
