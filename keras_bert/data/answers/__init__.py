"""Answers to files, one form a file, written some at a time."""
