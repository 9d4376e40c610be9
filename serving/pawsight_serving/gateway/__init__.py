"""The gateway: one core, with HTTP and gRPC at its edges."""
