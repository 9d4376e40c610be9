"""Maps drawn for people."""
