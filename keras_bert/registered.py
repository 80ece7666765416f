"""What Keras' files name of this package, told to Keras without importing it.

`import keras_bert` imports no TensorFlow. Once Keras is there, before or after, it knows each name,
and the class is imported when a file asks for it.
"""

from __future__ import annotations

import contextlib
import importlib
import types
from typing import Any

PACKAGE = "keras_bert"
CLASSES = {
    "layers.activations": ("ActivatedDense", "GatedDense"),
    "layers.attention": ("AttentionBias", "AttentionScores", "SelfAttention"),
    "layers.dropout": ("Dropout",),
    "layers.embeddings": ("Embeddings", "Sinusoids"),
    "layers.heads": ("FirstPositions", "Pooler"),
    "layers.initializers": ("Independent",),
    "layers.norm": ("LayerNorm", "NoNorm"),
    "layers.pooling": ("Pooling",),
    "layers.rotary": ("RotaryAttention",),
    "layers.rows": ("FlattenRows", "GatherRows", "MeanOfRows"),
    "layers.sampling": ("FillBlanks",),
    "layers.transformer": ("TransformerBlock",),
    "metrics.streaming": ("LabelAccuracy", "Perplexity"),
    "models.bert": ("BertEncoder",),
    "models.detection": ("ReplacedTokenAUC", "ReplacedTokenLoss", "ReplacedTokenRate"),
    "models.detector": ("ReplacedTokenDetector",),
    "models.distilbert": ("DistilBertEncoder",),
    "models.electra": ("ElectraEncoder",),
    "models.inputs": ("SegmentsOptional",),
    "models.modernbert": ("ModernBertEncoder",),
    "models.pretrainer": ("BertPretrainer",),
    "models.replaced_tokens": ("ReplacedTokenPretrainer",),
    "models.roberta": ("RobertaEncoder",),
    "models.static": ("StaticEncoder",),
    "tasks.contrastive": ("CosineError", "InBatchAccuracy", "InBatchNegatives", "Matryoshka"),
    "tasks.fill_mask": ("FillMask",),
    "tasks.multiple_choice": ("MultipleChoice",),
    "tasks.question_answering": ("QuestionAnswerer",),
    "tasks.sentence_embedding": ("SentenceEmbedder",),
    "tasks.text_classification": ("TextClassifier",),
    "tasks.token_classification": ("TokenClassifier",),
    "training.lamb": ("Lamb",),
    "training.muon": ("Muon",),
    "training.optimizers": ("AdamW",),
    "training.schedules": ("Schedule",),
}


class Later:
    """Stands for a class where Keras looks classes up, which asks it for `from_config` alone.

    Args:
        module: str, under `keras_bert`.
        name: str.
    """

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def from_config(self, config: dict[str, Any]) -> Any:
        """What the class makes of a config; importing it puts it into this one's place."""
        module = importlib.import_module(f"{PACKAGE}.{self._module}")
        return getattr(module, self._name).from_config(config)


def tell(keras: types.ModuleType) -> None:
    """Tells Keras of the names that it does not know yet."""
    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names:
            known.setdefault(f"{PACKAGE}>{name}", Later(module, name))


with contextlib.suppress(ModuleNotFoundError):  # A host of the client alone has no Keras either.
    importlib.import_module("wrapt").when_imported("keras")(tell)
