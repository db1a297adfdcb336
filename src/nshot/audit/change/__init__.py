"""What adapting changed: a model against the one that it was made of, on the same questions.

One file for each part; each gives figures of both models in pairs.
"""
