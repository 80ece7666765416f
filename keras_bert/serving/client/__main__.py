"""Asks a served model, over gRPC or REST, and writes a line of JSON for each example."""

from keras_bert import flags
from keras_bert.serving.client.command import Arguments, main

flags.run(main, Arguments)
