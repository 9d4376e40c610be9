"""Ways to explain: one file a method."""
