"""Models to directories and back."""
