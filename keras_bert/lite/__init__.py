"""What runs a LiteRT export, without TensorFlow and Keras."""

from keras_bert.lite.lite import Lite as Lite
