"""The engine behind System One: typed questions, answered with probabilities."""
