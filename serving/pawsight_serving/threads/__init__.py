"""Work outside the event loop, and the batches that it is run in."""
