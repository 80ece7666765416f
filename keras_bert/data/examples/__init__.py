"""What fine-tuning reads: files of examples, one form a file."""
