"""The server to develop with, which stands in for TensorFlow Serving."""
