"""`python -m keras_bert.serving.server`."""

from keras_bert import flags
from keras_bert.serving.server.server import Arguments, main

flags.run(main, Arguments)
