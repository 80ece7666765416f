"""Weights and mathematics, in keras.ops only: nothing here knows a config, a file or TensorFlow.

Shape letters: B batch, T query length, S key length, D hidden, N heads, H head dim, F intermediate,
V vocabulary, P predictions.
"""
