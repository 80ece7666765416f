"""The client of a served model; `keras-bert query` asks from a shell."""

from keras_bert.serving.client.client import Client

__all__ = ["Client"]
