"""The names of new models' sizes. What stands before the size is the family, or it is a BERT."""

from __future__ import annotations

from typing import Literal

Berts = Literal["tiny", "mini", "small", "medium", "base", "large"]
DistilBerts = Literal["distilbert_tiny", "distilbert_mini", "distilbert_base"]
Electras = Literal["electra_tiny", "electra_mini", "electra_small", "electra_base", "electra_large"]
SmallRobertas = Literal["roberta_tiny", "roberta_mini", "roberta_small", "roberta_medium"]
Robertas = Literal[SmallRobertas, "roberta_distil", "roberta_base", "roberta_large"]
SmallModernBerts = Literal["modernbert_tiny", "modernbert_mini"]
ModernBerts = Literal[SmallModernBerts, "modernbert_base", "modernbert_large"]
Preset = Literal[Berts, DistilBerts, Electras, Robertas, ModernBerts]
