"""What concerns the process as a whole: memory, processors, signals, its parent, its end."""
