"""The explainability sidecar: why the model said what it said, in values and in pictures."""
