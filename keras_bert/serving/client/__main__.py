"""`python -m keras_bert.serving.client`."""

from keras_bert import flags
from keras_bert.serving.client.client import Arguments, main

flags.run(main, Arguments)
