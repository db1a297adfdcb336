"""What is read in training (`nshot.training.recipe.Data`): answers, labels, conversations."""
