"""Methods that learn from what people prefer."""
