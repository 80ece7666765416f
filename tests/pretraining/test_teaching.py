import dataclasses

import pytest

import keras_bert as kb
from keras_bert.pretraining import student_of


@pytest.fixture
def checkpoint_of(config, tokenizer):
    def make(pairs=None, pieces=tokenizer, **changes):
        encoder = kb.BertEncoder(dataclasses.replace(config, **changes))
        return kb.Checkpoint(encoder.config, pieces, encoder, kb.BertPretrainer(encoder, pairs))

    return make


def test_a_teacher_has_the_heads_of_which_something_is_learned(checkpoint_of, tokenizer):
    packer, pairs = kb.Packer(tokenizer, 23), "next_sentence"
    model = kb.BertPretrainer(checkpoint_of().encoder, pairs, num_sequences=3)
    for own, said in ((pairs, ("masked_lm", pairs)), ("sentence_order", ("masked_lm",))):
        checkpoint = checkpoint_of(own)
        student = student_of(model, packer, {"a": checkpoint})
        assert student.said == said
        [teacher] = student.teachers
        assert teacher.encoder is checkpoint.encoder
        dense = [one.get_layer("masked_lm").dense for one in (teacher, checkpoint.model)]
        assert (dense[0].kernel.numpy() == dense[1].kernel.numpy()).all()


def test_what_does_not_fit_is_told_before_anything_is_read(checkpoint_of, tokenizer):
    packer, model = kb.Packer(tokenizer, 23), checkpoint_of().model
    other = kb.Tokenizer(tokenizer.vocabulary, lowercase=False)
    with pytest.raises(ValueError, match="their vocabularies, .* but those of far are others"):
        student_of(model, packer, {"far": checkpoint_of(pieces=other)})
    with pytest.raises(ValueError, match="far has 22 and sequence_length is 23: choose shorter"):
        student_of(model, packer, {"far": checkpoint_of(max_sequence_length=22)})
    alone = dataclasses.replace(checkpoint_of(), model=None)
    with pytest.raises(ValueError, match="far has no such head: name a checkpoint"):
        student_of(model, packer, {"far": alone})
    assert student_of(model, packer, {"far": alone}, kb.Lesson(of=("relations",))).teachers
