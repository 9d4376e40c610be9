"""The seam between the client and the wire: one transport for gRPC, one for HTTP."""
