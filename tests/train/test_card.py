from keras_bert.data.rows import Row
from train import finetune
from train.card import card_of


def test_a_card_says_by_whom_and_without_what_it_was_made():
    rows = finetune.Rows([Row({"sentence": "a", "label": "b"}, "a.tsv:1")], [], [])
    flags = {"task": "text_classification", "output_dir": "mine", "train_files": "a.tsv"}
    plain = card_of(finetune.Arguments(**flags), {}, rows, None)
    assert plain.data == {"learned from": "a.tsv (1 examples)"} and plain.base is None
    assert "remove_columns" not in plain.hyperparameters
    more = {"teacher": "x/large", "remove_columns": 0.5, "num_layers": 3}
    taught = card_of(finetune.Arguments(**flags, **more), {}, rows, "x/large")
    assert taught.data["taught by"] == "x/large, outputs" and taught.base == "large"
    chosen = {name: taught.hyperparameters[name] for name in ("num_layers", "remove_columns")}
    assert chosen == {"num_layers": 3, "remove_columns": 0.5}
    assert "remove_heads" not in taught.hyperparameters
    assert taught.command == "keras-bert finetune --flagfile=mine/finetune.flags"
