"""What a server shows of its requests: log, metrics' source, traces."""
