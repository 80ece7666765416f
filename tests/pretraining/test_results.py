from keras_bert.pretraining.results import beside_baseline


def test_a_model_with_one_output_has_no_names_in_its_logs():
    history = {"val_loss": [3.0, 2.0], "val_accuracy": [0.125, 0.5]}
    [line] = beside_baseline(history, {"masked_lm": (2, 0.25)}, ("[PAD]", "a", "the"))
    assert line == "masked_lm accuracy 50.0%; always 'the': 25.0%"
