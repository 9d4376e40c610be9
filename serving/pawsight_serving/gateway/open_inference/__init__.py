"""The Open Inference Protocol v2, independent of HTTP and gRPC."""
