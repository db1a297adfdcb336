"""Models around models: what is remembered, counted or kept on disk."""
