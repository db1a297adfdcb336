"""A comparison from request to board: plan, jobs, execution, store."""
