"""What runs the graphs: one protocol, one module an engine."""
