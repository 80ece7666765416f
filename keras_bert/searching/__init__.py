"""Searching texts by their meaning: passages of files, their vectors, kept, and what is nearest."""

from keras_bert.searching.codes import Codes
from keras_bert.searching.embedder import embedder_of
from keras_bert.searching.index import (
    Hit,
    Index,
    check_index_name,
    index_of,
    index_of_vectors,
    is_of_vectors,
)
from keras_bert.searching.passages import read_passages

__all__ = [
    "Codes",
    "Hit",
    "Index",
    "check_index_name",
    "embedder_of",
    "index_of",
    "index_of_vectors",
    "is_of_vectors",
    "read_passages",
]
