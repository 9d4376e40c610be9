"""How well a model does, in figures, plots and a page."""
