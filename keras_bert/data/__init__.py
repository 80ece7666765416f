"""Files to datasets of examples."""
