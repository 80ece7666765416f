"""Reference models of the families, and what transformers makes of small ones of our own."""

import json

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb

# What we say in another way, or of the tokenizer that is saved beside the model.
OTHERS = ("problem_type", "classifier_dropout", "pad_token_id")
# What our outputs are called in the reference data, where it is not by our names.
OUTPUTS = {"masked_lm": "logits", "replaced_tokens": "logits"}
INPUTS = {
    "token_ids": "input_ids",
    "segment_ids": "token_type_ids",
    "padding_mask": "attention_mask",
}


@pytest.fixture
def agrees_with(shared, tmp_path, tokenizer):
    """A function of a reference model's name, by which it is opened, compared and saved again.

    It takes how the family's tokenizer is written beside the model, and gives what was loaded.
    """

    def compare(name, write):
        source, folder = shared / "golden" / "families" / name, tmp_path / "golden"
        folder.mkdir()
        for file in ("config.json", "model.safetensors"):
            (folder / file).symlink_to(source / file)
        write(folder)
        model = (checkpoint := kb.load(folder)).model
        expected = np.load(source / "expected.npz")
        mask = expected["attention_mask"].astype(bool)
        x = {ours: expected[theirs] for ours, theirs in INPUTS.items() if theirs in expected}
        length = mask.shape[-1]
        x["mask_positions"] = np.tile(np.arange(length, dtype="int32"), (len(mask), 1))
        names = [tensor.name for tensor in model.inputs]
        outputs = model({key: x[key] for key in names})
        for ours, value in outputs.items():
            wanted = expected[OUTPUTS.get(ours, ours)]
            where = mask if wanted.shape[:2] == mask.shape else ...
            np.testing.assert_allclose(np.asarray(value)[where], wanted[where], atol=1e-5)
        kb.save(model, tmp_path / "again", checkpoint.tokenizer)
        ours, theirs = (
            safetensors.numpy.load_file(path / "model.safetensors")
            for path in (tmp_path / "again", folder)
        )
        assert ours.keys() == theirs.keys()
        for key, tensor in theirs.items():
            np.testing.assert_array_equal(ours[key], tensor)
        said, was = (
            json.loads((path / "config.json").read_text()) for path in (tmp_path / "again", folder)
        )
        for key in ("model_type", "architectures", *(k for k in said if k in was)):
            if key not in OTHERS:
                assert said[key] == was[key], key
        return checkpoint

    return compare


TASKS = {
    "SequenceClassification": lambda e, p: kb.TextClassifier(e, p, ("no", "perhaps", "yes")),
    "TokenClassification": lambda e, p: kb.TokenClassifier(e, p, ("O", "B-X", "I-X")),
    "QuestionAnswering": lambda e, p: kb.QuestionAnswerer(e, p),
    "MultipleChoice": lambda e, p: kb.MultipleChoice(e, p),
    "MaskedLM": lambda e, p: kb.BertPretrainer(e, None),
    "PreTraining": lambda e, p: kb.ReplacedTokenDetector(e),
}


@pytest.fixture
def opens_in_transformers(tmp_path, drawn):
    """A function that saves a small model for transformers, and compares what that computes."""

    def compare(kind, encoder, tokenizer):
        import torch
        import transformers

        model = drawn(TASKS[kind](encoder, kb.Packer(tokenizer, 23)))
        kb.save(model, tmp_path / "ours", tokenizer)
        theirs, loading = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
            tmp_path / "ours", output_loading_info=True
        )
        assert not loading["missing_keys"] and not loading["unexpected_keys"]
        shape = (2, 3, 7) if kind == "MultipleChoice" else (2, 7)
        ids = np.random.default_rng(3).integers(5, 97, shape).astype("int32")
        x = {"token_ids": ids, "segment_ids": ids % 2, "padding_mask": np.ones_like(ids)}
        x["padding_mask"][1, ..., 5:] = 0
        given = {INPUTS[key]: torch.tensor(x[key]) for key in encoder.INPUTS}
        got = theirs.eval()(**given)
        x["mask_positions"] = np.tile(np.arange(7, dtype="int32"), (2, 1))
        where = x["padding_mask"].astype(bool) if kind not in TASKS.keys() & OF_TEXTS else ...
        for name, value in model({t.name: x[t.name] for t in model.inputs}).items():
            expected = got[OUTPUTS.get(name, name)].detach().numpy()
            np.testing.assert_allclose(np.asarray(value)[where], expected[where], atol=1e-5)
        # And the way back: what transformers writes of it is what we opened.
        theirs.save_pretrained(tmp_path / "theirs")
        encoder_family = kb.checkpoints.families.family_of_model(model)
        encoder_family.tokenizer.write(tmp_path / "theirs", tokenizer, encoder.config)
        again = kb.load(tmp_path / "theirs").model
        assert type(again) is type(model) and again.encoder.config == encoder.config
        weights = {weight.path: weight for weight in again.weights}
        idle = {w.path for layer in model.idle_layers for w in layer.weights}
        for weight in model.weights:
            if weight.path not in idle:
                np.testing.assert_array_equal(weights[weight.path], weight)

    return compare


OF_TEXTS = {"SequenceClassification", "MultipleChoice"}
