"""From measurements to a decision: numbers only, no I/O, no clock."""
