"""A version in the repository's layout, staged first and then published at once."""
