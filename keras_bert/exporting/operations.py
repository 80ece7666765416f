"""The operations that every TensorFlow Serving since 2.12 carries: a graph may have no others."""

from __future__ import annotations

import pathlib
import re

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

# Those of TensorFlow Text 2.12.1, which TensorFlow Serving 2.12 to 2.19 links, that tokenizers are
# made of. Not there are TFText>RoundRobinTrim, TFText>RoundRobinGenerateMasks, TFText>Utf8Binarize.
TEXT_OPERATIONS = frozenset(
    (
        *("CaseFoldUTF8", "NormalizeUTF8", "NormalizeUTF8WithOffsetsMap", "FindSourceOffsets"),
        *("RegexSplitWithOffsets", "WordpieceTokenizeWithOffsets", "FastBertNormalize"),
        *("FastWordpieceTokenizeWithOffsets", "SentencepieceOp", "SentencepieceTokenizeOp"),
    )
)
# Those of TensorFlow 2.21 that 2.12 does not have and that no pattern below names.
NEWER_OPERATIONS = frozenset(
    (
        *("CheckPinned", "CollectiveAllToAllV2", "Conv", "DatasetFingerprint", "DebugIdentityV3"),
        *("DecodeJxl", "DecodeWebP", "FFTND", "IFFTND", "RFFTND", "IRFFTND", "GlobalIterId"),
        *("FileSystemSetConfiguration", "IndexFlatMapDataset", "IteratorGetModelProto"),
        *("KMC2ChainInitialization", "KmeansPlusPlusInitialization", "NearestNeighbors"),
        *("ListSnapshotChunksDataset", "SnapshotChunkDataset", "TFRecordDatasetV2"),
        *("RaggedFillEmptyRows", "RaggedFillEmptyRowsGrad", "SegmentMaxV2", "SegmentMinV2"),
        *("SparseSegmentMeanGradV2", "SparseSegmentSqrtNGradV2", "SparseSegmentSumGradV2"),
        *("StoreMinibatchStatisticsInFdo", "WeightedFlatMapDataset"),
    )
)
# What no served graph may have, and why.
REFUSED = {
    r".*PyFunc.*": "calls Python",
    r".*(Random|Shuffle|Multinomial|TruncatedNormal|CandidateSampler).*"
    r"|Stateful(Uniform|StandardNormal).*|Rng.*|StatelessSample.*": "draws random numbers",
    r"(Xla|TPU|.*TPUEmbedding|.*Coo|.*Csr|GetMinibatch).*": "is for accelerators",
    r"(Empty)?TensorMap.*": "is not in TensorFlow 2.12",
}


def check_operations(path: pathlib.Path) -> None:
    """Reads a saved graph, with all its functions, and refuses what a server might not carry.

    Args:
        path: a `saved_model.pb`.

    Raises:
        ValueError: the graph has such an operation.
    """
    reasons = {name: _reason(name) for name in operations_of(path)}
    refused = [f"{name} ({reason})" for name, reason in reasons.items() if reason]
    if refused:
        raise ValueError(
            "A served graph may have only operations that every TensorFlow Serving since 2.12 "
            f"carries, but {path} has {', '.join(refused)}: write the task's features, head and "
            "answers without them."
        )


def operations_of(path: pathlib.Path) -> list[str]:
    """The names of all operations in a `saved_model.pb`, in order."""
    names: set[str] = set()
    for graph in saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs:
        library = graph.graph_def.library.function
        names.update(node.op for node in graph.graph_def.node)
        names.update(node.op for function in library for node in function.node_def)
        names -= {function.signature.name for function in library}  # called by their names
    return sorted(names)


def _reason(name: str) -> str | None:
    """Why an operation is refused; None if it is not."""
    for pattern, reason in REFUSED.items():
        if re.fullmatch(pattern, name):
            return reason
    if name in NEWER_OPERATIONS:
        return "is not in TensorFlow 2.12"
    # What TensorFlow itself does not have is some other library's.
    if name in TEXT_OPERATIONS or hasattr(tf.raw_ops, name):
        return None
    return "is neither TensorFlow's nor in TensorFlow Text 2.12"
