import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from train import pretrain


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, vocabulary):
    """Flags of a small run: three of four masked, two sequences a row at most, all recomputed."""
    folder = tmp_path_factory.mktemp("pretrain")
    paragraphs = (f"a fine film {i}.\nthe quick fox, want {i}?\nlazy {i}.\n\n" for i in range(40))
    (folder / "corpus.txt").write_text("".join(paragraphs))
    kb.write_vocabulary(folder / "vocab.txt", vocabulary)
    return pretrain.Arguments(
        input_pattern=str(folder / "corpus.txt"),
        output_dir=str(folder / "bert"),
        vocabulary=str(folder / "vocab.txt"),
        documents="blank_lines",
        preset="tiny",
        sequence_length=40,
        num_sequences=2,
        mask_unit="token",
        mask_rate=0.75,
        mask_share=1.0,
        random_share=0.0,
        max_predictions=30,
        batch_size=7,
        recompute=True,
    )


def test_flags_of_rows_and_masks_reach_the_data(arguments, tokenizer):
    train_data, held_out = pretrain.datasets(arguments, tokenizer, "next_sentence")
    assert held_out is None
    [(x, y, weights)] = train_data().take(1)
    assert x["padding_mask"].shape == (7, 40) and np.max(x["padding_mask"]) == 2
    assert y["next_sentence"].shape == (7, 2)
    is_mask = np.equal(x["token_ids"], tokenizer.mask_id)
    np.testing.assert_array_equal(is_mask.sum(axis=1), np.sum(weights["masked_lm"], axis=1))
    special = np.isin(x["token_ids"], (tokenizer.cls_id, tokenizer.sep_id))
    num_tokens = ((x["padding_mask"].numpy() > 0) & ~special).sum(axis=1)
    np.testing.assert_array_equal(is_mask.sum(axis=1), np.round(0.75 * num_tokens))


def test_flags_of_the_model_reach_it(arguments):
    checkpoint = pretrain.starting_point(arguments)
    model = pretrain.build_model(arguments, checkpoint)
    assert model.encoder.recompute and len(model.output["next_sentence"].shape) == 3
    plain = dataclasses.replace(arguments, num_sequences=1, recompute=False)
    model = pretrain.build_model(plain, pretrain.starting_point(plain))
    assert not model.encoder.recompute and len(model.output["next_sentence"].shape) == 2
