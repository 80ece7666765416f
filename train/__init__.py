"""The binaries: a dataclass of arguments and a short main each. Run as `python -m train.<name>`."""
