"""What a training leaves behind, and what another starts from."""
