"""What networks run on: torch, or onnxruntime without it. Callers know `learn.inference.predictor` and no more."""
