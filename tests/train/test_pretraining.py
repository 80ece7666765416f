"""The flags of pretraining, and what is refused of them."""

import pytest

from train.pretraining import check_objective, shares

REQUIRED = ("--input_pattern=x", "--output_dir=y", "--objective=replaced_tokens")


def test_shares_are_those_of_the_objective_unless_they_are_given(parsed):
    arguments = parsed("pretrain", *REQUIRED, "--preset=electra_small")
    check_objective(arguments, arguments)
    assert shares(arguments) == {"mask_share": 0.85, "random_share": 0.0}
    arguments = parsed("pretrain", *REQUIRED, "--objective=masked_lm", "--random_share=0.2")
    check_objective(arguments, arguments)
    assert shares(arguments) == {"mask_share": 0.8, "random_share": 0.2}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--preset=tiny",), "trains an ELECTRA, but --preset is tiny: choose one of electra_tiny"),
        (("--sentence_objective=next_sentence",), "but --sentence_objective is next_sentence"),
        (("--objective=masked_lm", "--generator_share=0.5"), "has none: leave it out, or give"),
    ],
)
def test_what_does_not_fit_the_objective_is_refused(parsed, flags, message):
    arguments = parsed("pretrain", *REQUIRED, *flags)
    with pytest.raises(ValueError, match=message):
        check_objective(arguments, arguments)
