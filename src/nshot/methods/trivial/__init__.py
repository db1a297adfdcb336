"""Methods that every other must beat."""
