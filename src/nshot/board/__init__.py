"""Measurements side by side, the decision, and its words."""
