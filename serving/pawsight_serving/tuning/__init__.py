"""Finding the settings of a model in Triton that serve this machine best."""
