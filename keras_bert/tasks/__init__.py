"""One task a file: from strings to answers."""
