"""Methods that make an adapted model smaller or faster: taught by it, or stored in fewer bits."""
