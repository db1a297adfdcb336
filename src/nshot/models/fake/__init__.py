"""An engine without weights, for tests and for commands in the docs."""
