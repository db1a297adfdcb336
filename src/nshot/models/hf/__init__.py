"""The engine on transformers: one base in memory, any number of views on it."""
