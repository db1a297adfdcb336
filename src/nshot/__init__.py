"""nshot: which way of adapting a model is worth it on your task, measured on your own examples."""

__version__ = "0.1.0"
