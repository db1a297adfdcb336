"""Models that come as Python packages: which, where their files lie, how they are converted."""
