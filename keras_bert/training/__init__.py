"""Training of any keras.Model: knows nothing of BERT."""
