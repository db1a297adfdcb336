"""What the rows of a task bring with them: labels, groups, copies, errors, personal data."""
