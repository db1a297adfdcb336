"""Which rows are served worse than the rest."""
