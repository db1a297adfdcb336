"""Systems that nshot did not build."""
