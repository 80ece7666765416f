"""Makes of a model of sentence embeddings a table of vectors, hundreds of times faster.

keras-bert distill-embeddings --checkpoint=all-MiniLM-L6-v2 --output_dir=static
"""

from __future__ import annotations

import dataclasses

import keras_bert as kb
from keras_bert import flags

from .examples import Texts, reading_of, split

# Texts by which speed is measured, at most, and those that the teacher is asked.
TIMED, TIMED_OF_TEACHER = 4096, 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Texts):
    checkpoint: str = flags.required("checkpoint directory of sentence embeddings")
    output_dir: str = flags.required("directory of the table")
    dimensions: int = flags.flag(256, "numbers of a vector; at most the checkpoint's")
    frequency_files: str | None = flags.flag(
        None, "texts, as of keras-bert search, by which frequent pieces are known; else by rank"
    )


def main(arguments: Arguments) -> None:
    from keras_bert.tasks.static_embedding import counts_of

    teacher = kb.searching.embedder_of(arguments.checkpoint)
    texts: list[str] = []
    if arguments.frequency_files:
        keys = split(arguments.text_keys)
        rows = kb.searching.read_passages(arguments.frequency_files, reading_of(arguments), keys)
        texts = [row["text"] for row in rows]
    counts = counts_of(teacher.tokenizer, texts) if texts else None
    task = kb.static_embedder(teacher, arguments.dimensions, counts)
    kb.save(task, arguments.output_dir)
    size = f"{task.count_params():,} numbers in place of {teacher.count_params():,}"
    print(f"{arguments.output_dir}: vectors of {arguments.dimensions}, {size}.")
    if texts:
        examples = [{"text": text} for text in texts[:TIMED]]
        speed = kb.answering.answered_per_second
        fast, slow = speed(task, examples), speed(teacher, examples[:TIMED_OF_TEACHER])
        print(
            f"{fast:,.0f} texts a second in place of {slow:,.0f}: {fast / slow:.0f} times as many."
        )
    print(f"Next: keras-bert search --checkpoint={arguments.output_dir} --documents=...")


if __name__ == "__main__":
    flags.run(main, Arguments)
