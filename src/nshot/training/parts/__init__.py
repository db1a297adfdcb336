"""What learns (`nshot.training.recipe.Part`), where several methods share it."""
