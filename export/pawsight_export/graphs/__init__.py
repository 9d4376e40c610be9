"""A net as ONNX graphs, in each precision, and as TensorRT plans."""
