"""What is varied at random in training, so that a network holds on scenes it was not trained on; one file an idea."""
