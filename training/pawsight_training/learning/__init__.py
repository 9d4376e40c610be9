"""A training, from its first step to its finished run."""
