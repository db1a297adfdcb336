"""Methods that train a few parameters beside the frozen model."""
