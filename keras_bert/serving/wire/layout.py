"""Where served models lie: `<base path>/<model>/<version>/`, and what lies beside them.

The names are TF Serving's, but for the metadata of `kb.export`.
"""

from __future__ import annotations

import pathlib
import re

# Of the directory of a version; TF Serving takes what an int64 holds.
VERSION = re.compile(r"[0-9]{1,18}")
SAVED_MODEL_FILE = "saved_model.pb"
# tensorflow_serving/servables/tensorflow/saved_model_warmup_util.h
WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
MAX_WARMUP_REQUESTS = 1000
# What `kb.export` writes beside a model; in others' it may be missing.
METADATA_FILE = pathlib.PurePath("assets.extra", "metadata.json")
# What it writes in place of all that for LiteRT, beside the model.
LITE_FILE = "litert.json"
# Below the base path.
MODELS_CONFIG_FILE, BATCHING_CONFIG_FILE = "models.config", "batching.config"
# Where TF Serving's container has what is here the base path.
CONTAINER_PATH = pathlib.PurePosixPath("/models")
