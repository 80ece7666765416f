import json
import re

import pytest

import keras_bert as kb


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A classifier and its examples."""
    folder = tmp_path_factory.mktemp("prune")
    task = kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 11), ["bad", "good"])
    kb.save(task, folder / "whole", tokenizer)
    lines = (
        {"sentence": f"the {noun} fox", "label": label}
        for noun, label in (("quick", "good"), ("lazy", "bad"), ("brown", "good"))
    )
    (folder / "some.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def test_what_is_left_is_saved_and_compared(folder, tmp_path, call, eagerly):
    with eagerly():
        said = call(
            "prune",
            f"--checkpoint={folder}/whole",
            *(f"--{name}_files={folder}/some.jsonl" for name in ("train", "eval")),
            *(
                "--remove_heads=0.5",
                "--remove_columns=0.5",
                "--remove_layers=1",
                f"--output_dir={tmp_path}/smaller",
            ),
        )
    before, after = (kb.finetuning.load_task(p) for p in (folder / "whole", tmp_path / "smaller"))
    config = after.encoder.config
    assert config.num_layers == before.encoder.config.num_layers - 1
    counts = f"{before.count_params():,} +{after.count_params():,}"
    assert re.search(counts, said)
    assert "accuracy" in said and f"keras-bert finetune --checkpoint={tmp_path}/smaller" in said


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "Nothing is to be removed: say --remove_heads, --remove_columns or --remove_layers"),
        (["--remove_heads=0.5"], "compared by examples: say --train_files"),
        (["--remove_columns=1"], r"--remove_columns must be a share in \[0, 1\), not 1"),
        (["--remove_layers=-1"], "--remove_layers must be at least 0, not -1"),
        (["--remove_layers=1", "--batch_size=0"], "--batch_size must be at least 1, not 0"),
    ],
)
def test_what_cannot_be_done_is_refused(folder, tmp_path, refused, given, message):
    flags = (f"--checkpoint={folder}/whole", f"--output_dir={tmp_path}/smaller", *given)
    assert re.search(message, refused("prune", *flags))
    assert not (tmp_path / "smaller").exists()
