"""The client of a served model; `python -m keras_bert.serving.client` asks from a shell."""

from keras_bert.serving.client.client import Client

__all__ = ["Client"]
