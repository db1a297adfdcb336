"""Frozen features and little on top of them."""
