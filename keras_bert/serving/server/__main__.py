"""Serves models where TF Serving is not at hand, to develop with."""

from keras_bert import flags
from keras_bert.serving.server.server import Arguments, main

flags.run(main, Arguments)
