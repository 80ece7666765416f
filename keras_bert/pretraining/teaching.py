"""Teaching: who is asked in pretraining besides the text, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping

from keras_bert.checkpoints.directory import Checkpoint
from keras_bert.checkpoints.transfer import take_heads
from keras_bert.flops import num_training_flops
from keras_bert.models.lesson import OUTPUTS, Lesson
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.pretraining_student import PretrainingStudent
from keras_bert.text.packing import Packer


def student_of(
    model: BertPretrainer,
    packer: Packer,
    teachers: Mapping[str, Checkpoint],
    lesson: Lesson | None = None,
) -> PretrainingStudent:
    """A pretrainer's own layers, to be trained by the models of checkpoints.

    Args:
        model: BertPretrainer, which is what is saved.
        packer: Packer, by which rows are made.
        teachers: dict of Checkpoint by directory.
        lesson: Lesson; None has its defaults.

    Raises:
        ValueError: a teacher reads other pieces or shorter rows, or has nothing to say; the message
            says which.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import student_of
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> small, large = (kb.BertPretrainer(kb.BertEncoder(config), None) for _ in range(2))
    >>> teacher = kb.Checkpoint(config, tokenizer, large.encoder, large)
    >>> student = student_of(small, kb.Packer(tokenizer, 9), {"large": teacher})
    >>> student.said
    ('masked_lm',)
    """
    lesson = lesson or Lesson()
    for directory, teacher in teachers.items():
        _check(directory, teacher, packer)
    return PretrainingStudent(
        model,
        [_pretrainer(directory, one, model, lesson) for directory, one in teachers.items()],
        lesson,
    )


def taught_flops(student: PretrainingStudent, sequence_length: int, num_predictions: int) -> int:
    """Operations of a training step on one row: the student's, and the teachers' way forward.

    What inner states cost besides is not counted.

    Args:
        student: PretrainingStudent.
        sequence_length: int, T.
        num_predictions: int, P, of which alone teachers say something.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import taught_flops
    >>> small, large = (
    ...     kb.BertPretrainer(kb.BertEncoder(kb.BertConfig.preset(size)), None)
    ...     for size in ("tiny", "mini")
    ... )
    >>> alone = kb.num_training_flops(small.encoder.config, 128, 20)
    >>> of_teacher = kb.num_training_flops(large.encoder.config, 128, 20)
    >>> taught_flops(kb.PretrainingStudent(small, [large]), 128, 20) == alone + of_teacher // 3
    True
    """
    own, *others = (
        num_training_flops(one.encoder.config, sequence_length, num_predictions)
        for one in (student.plain, *student.teachers)
    )
    return own + sum(one // 3 for one in others)


def _check(directory: str, teacher: Checkpoint, packer: Packer) -> None:
    if teacher.tokenizer.settings() != packer.tokenizer.settings():
        raise ValueError(
            "A teacher reads the rows of its student, so that their vocabularies, and what they do "
            f"to letters, must be the same, but those of {directory} are others: leave "
            "--vocabulary out to take the teacher's, or name another teacher."
        )
    most = teacher.config.max_sequence_length
    if (packer.sequence_length or 0) > most:
        raise ValueError(
            f"Rows that a teacher reads must have at most its positions, but {directory} has "
            f"{most} and sequence_length is {packer.sequence_length}: choose shorter rows."
        )


def _pretrainer(
    directory: str, teacher: Checkpoint, model: BertPretrainer, lesson: Lesson
) -> BertPretrainer:
    """The teacher with the heads of which something is learned."""
    wanted = model.sentence_objective
    has_pairs = wanted and getattr(teacher.model, "sentence_objective", None) == wanted
    pretrainer = BertPretrainer(
        teacher.encoder,
        wanted if has_pairs else None,
        num_sequences=model.num_sequences if has_pairs else 1,
    )
    new = take_heads(pretrainer, teacher).new
    if new and OUTPUTS in lesson.of:
        raise ValueError(
            f"{OUTPUTS} are what a masked language model says, but {directory} has no such head: "
            "name a checkpoint that was saved with it, or learn relations alone."
        )
    return pretrainer
