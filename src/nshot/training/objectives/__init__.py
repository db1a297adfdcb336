"""What is minimised: a sum over rows and what divides it (`nshot.training.loop.Objective`)."""
