"""Fills the blanks of texts with a pretrained checkpoint."""

from __future__ import annotations

import dataclasses

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("checkpoint directory")
    text: tuple[str, ...] = flags.required("text with [MASK] in it; may be repeated")
    top_k: int = flags.flag(5, "number of candidates for a blank")


def main(arguments: Arguments) -> None:
    checkpoint = kb.load(arguments.checkpoint)
    if not isinstance(checkpoint.model, kb.BertPretrainer):
        raise ValueError(
            "Filling masks needs a masked-language-model head, but there is none in "
            f"{arguments.checkpoint}: name a pretrained checkpoint, not a bare encoder."
        )
    packer = kb.Packer(checkpoint.tokenizer, checkpoint.config.max_sequence_length)
    task = kb.FillMask(checkpoint.model, packer, arguments.top_k)
    for text, blanks in zip(arguments.text, task(arguments.text), strict=True):
        print(text)
        for number, candidates in enumerate(blanks, 1):
            shown = ", ".join(f"{piece} {probability:.1%}" for piece, probability in candidates)
            print(f"  [MASK] {number}: {shown}")


if __name__ == "__main__":
    flags.run(main, Arguments)
