"""A fitted model in sentences: figures of it, words for them, and what they are put together to."""
