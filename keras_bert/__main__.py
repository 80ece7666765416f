"""`python -m keras_bert` is the console command `keras-bert`."""

from keras_bert.command import main

main()
