"""The engine behind OpenAI's Decisions: typed questions, answered with probabilities."""
