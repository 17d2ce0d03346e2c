"""Second floor: where tensors and files meet. Recipes, bundles, training samples, fitting and prediction."""
