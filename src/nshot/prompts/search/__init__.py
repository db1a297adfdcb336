"""Which prompt to use: how a task may be worded otherwise, and the race between candidates."""
