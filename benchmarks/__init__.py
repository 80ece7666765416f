"""One program a question; each prints one JSON line a figure."""
