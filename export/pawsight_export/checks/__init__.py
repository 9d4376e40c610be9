"""What a staged version must pass before it is published."""
