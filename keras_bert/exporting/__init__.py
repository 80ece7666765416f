"""Making a SavedModel that TensorFlow Serving answers raw strings with."""
