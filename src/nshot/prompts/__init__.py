"""How a task and its rows become the text that a language model reads."""
