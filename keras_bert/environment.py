"""What must be done before TensorFlow is imported; `keras_bert` imports it first of all.

TensorFlow turns oneDNN on by itself only on CPUs with AVX512_VNNI, but it helps the others too. On
an AMD EPYC with AVX2 the products of BERT-base run a third faster, and what passes over memory
five times as fast: its allocator keeps the pages that the system's gives back after every op. Set
TF_ENABLE_ONEDNN_OPTS yourself, and your value stays.

PyTorch for GPUs brings triton, which transformers imports, and which ends the process by a
segmentation fault where TensorFlow came before it.
"""

import contextlib
import os
import platform
import sys

if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


class BeforeTensorFlow:
    """Imports triton when TensorFlow is asked for: what needs no TensorFlow has no time for it."""

    is_due = True

    def find_spec(self, name, path, target=None):
        if name == "tensorflow" and self.is_due:
            self.is_due = False
            with contextlib.suppress(ImportError):
                import triton  # noqa: F401


if "tensorflow" not in sys.modules:
    # Python asks for no more of a finder than `find_spec`.
    sys.meta_path.insert(0, BeforeTensorFlow())
