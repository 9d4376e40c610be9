"""Encoded pictures to tensors, within limits."""
