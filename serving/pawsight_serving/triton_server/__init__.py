"""`pawsight triton`: the real Triton server of a wheel, on a model repository, without Docker."""
