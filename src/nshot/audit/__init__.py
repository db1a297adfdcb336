"""What an adapted model does besides its task."""
