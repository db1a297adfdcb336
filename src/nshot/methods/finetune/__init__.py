"""Methods that train the model's own weights."""
