"""Delivered folders behind HTTP: one worker for the models, limits before it."""
