"""What pretraining reads: texts to masked rows."""
