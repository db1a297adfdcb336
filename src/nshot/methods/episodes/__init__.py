"""Episodes, as papers measure few-shot learning: their data, their sampling, training, accuracy."""
