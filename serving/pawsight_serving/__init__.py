"""Gateway, explainability sidecar, engines and the model repository; never imports torch."""
