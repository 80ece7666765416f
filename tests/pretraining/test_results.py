from keras_bert.pretraining.results import beside_baseline


def test_a_model_with_one_output_has_no_names_in_its_logs():
    history = {"val_loss": [3.0, 2.0], "val_accuracy": [0.125, 0.5]}
    [line] = beside_baseline(history, {"masked_lm": (2, 0.25)}, ("[PAD]", "a", "the"))
    assert line == "masked_lm accuracy 50.0%; always 'the': 25.0%"


def test_a_detector_stands_beside_finding_none():
    last = {"accuracy": 0.875, "precision": 0.5, "recall": 0.25, "auc": 0.75, "replaced": 0.125}
    history = {f"val_replaced_tokens_{name}": [0.0, value] for name, value in last.items()}
    history["val_masked_lm_accuracy"] = [0.5]
    frequent = {"masked_lm": (1, 0.25), "replaced_tokens": (7, 0.5)}
    assert beside_baseline(history, frequent, ("[PAD]", "a")) == [
        "masked_lm accuracy 50.0%; always 'a': 25.0%",
        "replaced_tokens accuracy 87.5%, precision 50.0%, recall 25.0%, AUC 0.750; "
        "always 'original': 87.5%, AUC 0.500",
    ]
