"""The Open Inference Protocol v2, apart from how it is carried."""
