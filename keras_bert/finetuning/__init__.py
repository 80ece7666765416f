"""Fine-tuning of any task: what is learned from, what is chosen, what is left for people."""
