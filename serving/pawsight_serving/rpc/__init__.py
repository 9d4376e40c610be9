"""gRPC plumbing that gateway and explainer share: statuses, calls, servers."""
