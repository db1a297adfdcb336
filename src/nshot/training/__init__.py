"""One training loop for many objectives, its checkpoints, and supervised fine-tuning."""
