"""From a trained run to a model repository that Triton and the embedded engine load."""
