"""The messages of TF Serving, as far as a client and a server of predictions need them.

The package `tensorflow-serving-api` has all of them, but imports TensorFlow, which a client can do
without. These are in a pool of descriptors of their own, so that both may be in one process. What
is sent of a field that is not here is kept, and sent on.

- tensorflow/core/framework: types.proto, tensor_shape.proto, tensor.proto
- tensorflow/core/protobuf: error_codes.proto, meta_graph.proto, saved_model.proto
- tensorflow_serving/apis: model.proto, predict.proto, get_model_metadata.proto, status.proto,
  get_model_status.proto, prediction_log.proto, and the services
- tensorflow_serving/config: model_server_config.proto, file_system_storage_path_source.proto,
  logging_config.proto, log_collector_config.proto
- tensorflow_serving/servables/tensorflow: session_bundle_config.proto
"""

from __future__ import annotations

import re
from typing import NamedTuple

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    wrappers_pb2,
)
from google.protobuf.message import Message

from keras_bert.serving.wire import errors, signatures
from keras_bert.serving.wire.address import Address

PACKAGE = "tensorflow.serving"

DATA_TYPES = {
    name: number
    for number, name in enumerate(
        (
            *("DT_INVALID", "DT_FLOAT", "DT_DOUBLE", "DT_INT32", "DT_UINT8", "DT_INT16"),
            *("DT_INT8", "DT_STRING", "DT_COMPLEX64", "DT_INT64", "DT_BOOL", "DT_QINT8"),
            *("DT_QUINT8", "DT_QINT32", "DT_BFLOAT16", "DT_QINT16", "DT_QUINT16", "DT_UINT16"),
            *("DT_COMPLEX128", "DT_HALF", "DT_RESOURCE", "DT_VARIANT", "DT_UINT32", "DT_UINT64"),
            *("DT_FLOAT8_E5M2", "DT_FLOAT8_E4M3FN", "DT_FLOAT8_E4M3FNUZ", "DT_FLOAT8_E4M3B11FNUZ"),
            *("DT_FLOAT8_E5M2FNUZ", "DT_INT4", "DT_UINT4", "DT_INT2", "DT_UINT2"),
        )
    )
}
STATES = {
    **{"UNKNOWN": 0, "START": 10, "LOADING": 20, "AVAILABLE": 30},
    **{"UNLOADING": 40, "END": 50},
}
_ENUMS = {
    "DataType": DATA_TYPES,
    "Code": {code: number for number, code in enumerate(errors.CODES)},
    "State": STATES,
    "ModelType": {"MODEL_TYPE_UNSPECIFIED": 0, "TENSORFLOW": 1, "OTHER": 2},
}
# Fields as protobuf writes them; of those `in` one choice, a message has one at most.
_MESSAGES = {
    "Dim": "int64 size = 1; string name = 2",
    "TensorShapeProto": "repeated Dim dim = 2; bool unknown_rank = 3",
    "TensorProto": """
        DataType dtype = 1; TensorShapeProto tensor_shape = 2; bytes tensor_content = 4;
        repeated float float_val = 5; repeated double double_val = 6; repeated int32 int_val = 7;
        repeated bytes string_val = 8; repeated int64 int64_val = 10; repeated bool bool_val = 11;
        repeated int32 half_val = 13; repeated uint32 uint32_val = 16;
        repeated uint64 uint64_val = 17""",
    "CooSparse": """
        string values_tensor_name = 1; string indices_tensor_name = 2;
        string dense_shape_tensor_name = 3""",
    "TensorInfo": """
        string name = 1 in encoding; CooSparse coo_sparse = 4 in encoding;
        DataType dtype = 2; TensorShapeProto tensor_shape = 3""",
    "SignatureDef": """
        map<string, TensorInfo> inputs = 1; map<string, TensorInfo> outputs = 2;
        string method_name = 3; map<string, TensorProto> defaults = 4""",
    "MetaInfoDef": "repeated string tags = 4",
    "MetaGraphDef": "MetaInfoDef meta_info_def = 1; map<string, SignatureDef> signature_def = 5",
    "SavedModel": "repeated MetaGraphDef meta_graphs = 2",
    "ModelSpec": """
        string name = 1; google.protobuf.Int64Value version = 2 in version_choice;
        string version_label = 4 in version_choice; string signature_name = 3""",
    "PredictRequest": """
        ModelSpec model_spec = 1; map<string, TensorProto> inputs = 2;
        repeated string output_filter = 3""",
    "PredictResponse": "map<string, TensorProto> outputs = 1; ModelSpec model_spec = 2",
    "PredictLog": "PredictRequest request = 1; PredictResponse response = 2",
    "PredictionLog": "PredictLog predict_log = 6 in log_type",
    "GetModelMetadataRequest": "ModelSpec model_spec = 1; repeated string metadata_field = 2",
    "GetModelMetadataResponse": """
        ModelSpec model_spec = 1; map<string, google.protobuf.Any> metadata = 2""",
    "SignatureDefMap": "map<string, SignatureDef> signature_def = 1",
    "StatusProto": "Code error_code = 1; string error_message = 2",
    "ModelVersionStatus": "int64 version = 1; State state = 2; StatusProto status = 3",
    "GetModelStatusRequest": "ModelSpec model_spec = 1",
    "GetModelStatusResponse": "repeated ModelVersionStatus model_version_status = 1",
    "Latest": "uint32 num_versions = 1",
    "All": "",
    "Specific": "repeated int64 versions = 1",
    "ServableVersionPolicy": """
        Latest latest = 100 in policy_choice; All all = 101 in policy_choice;
        Specific specific = 102 in policy_choice""",
    "LogCollectorConfig": "string type = 1; string filename_prefix = 2",
    "PerTaskSamplingConfig": """
        string dc = 1; int32 task_index = 2 in _task_index; double sampling_rate = 3""",
    "SamplingConfig": """
        double sampling_rate = 1; int32 attributes = 2;
        repeated PerTaskSamplingConfig per_task_sampling_configs = 3""",
    "LoggingConfig": """
        LogCollectorConfig log_collector_config = 1; SamplingConfig sampling_config = 2;
        google.protobuf.Any custom_logging_config = 3""",
    "ModelConfig": """
        string name = 1; string base_path = 2; ModelType model_type = 3; string model_platform = 4;
        LoggingConfig logging_config = 6; ServableVersionPolicy model_version_policy = 7;
        map<string, int64> version_labels = 8""",
    "ModelConfigList": "repeated ModelConfig config = 1",
    "ModelServerConfig": """
        ModelConfigList model_config_list = 1 in config;
        google.protobuf.Any custom_model_config = 2 in config""",
    "BatchingParameters": """
        google.protobuf.Int64Value max_batch_size = 1;
        google.protobuf.Int64Value batch_timeout_micros = 2;
        google.protobuf.Int64Value max_enqueued_batches = 3;
        google.protobuf.Int64Value num_batch_threads = 4;
        google.protobuf.StringValue thread_pool_name = 5;
        repeated int64 allowed_batch_sizes = 6; bool pad_variable_length_inputs = 7""",
}
_FIELD = re.compile(
    r"(?P<repeated>repeated )?(?:map<string, (?P<value>[\w.]+)>|(?P<kind>[\w.]+)) (?P<name>\w+) = "
    r"(?P<number>\d+)(?: in (?P<choice>\w+))?"
)
_Proto = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    kind.removeprefix("TYPE_").lower(): number
    for kind, number in _Proto.Type.items()
    if kind not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


def _pool() -> descriptor_pool.DescriptorPool:
    """The descriptors of all messages."""
    needed = (any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR)
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_bert/serving/wire/messages.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[other.name for other in needed],
    )
    for name, values in _ENUMS.items():
        # The names of its values stand beside an enum: around it is a message for it alone.
        enum = file.message_type.add(name=name).enum_type.add(name="Value")
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in filter(None, map(str.strip, fields.split(";"))):
            _add_field(message, field)
    pool = descriptor_pool.DescriptorPool()
    for other in needed:
        pool.AddSerializedFile(other.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_field(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    found = _FIELD.fullmatch(text)
    if found is None:
        raise ValueError(f"A field must be written as protobuf writes it, but is {text!r}.")
    field = message.field.add(name=found["name"], number=int(found["number"]))
    is_many = found["repeated"] or found["value"]
    field.label = _Proto.LABEL_REPEATED if is_many else _Proto.LABEL_OPTIONAL
    if found["value"]:
        _set_type(field, f"{message.name}.{_add_entry(message, found['name'], found['value'])}")
    else:
        _set_type(field, found["kind"])
    if found["choice"]:
        names = [choice.name for choice in message.oneof_decl]
        if found["choice"] not in names:
            message.oneof_decl.add(name=found["choice"])
            names.append(found["choice"])
        field.oneof_index = names.index(found["choice"])


def _add_entry(message: descriptor_pb2.DescriptorProto, name: str, value: str) -> str:
    """A map is a list of messages with a key and a value."""
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    for number, (part, kind) in enumerate((("key", "string"), ("value", value)), 1):
        _set_type(entry.field.add(name=part, number=number, label=_Proto.LABEL_OPTIONAL), kind)
    return entry.name


def _set_type(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = _Proto.TYPE_ENUM if kind in _ENUMS else _Proto.TYPE_MESSAGE
    suffix = ".Value" if kind in _ENUMS else ""
    field.type_name = f".{kind if kind.startswith('google.') else f'{PACKAGE}.{kind}'}{suffix}"


_POOL = _pool()


def _class(name: str) -> type[Message]:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


TensorProto = _class("TensorProto")
SavedModel = _class("SavedModel")
SignatureDefMap = _class("SignatureDefMap")
ModelSpec = _class("ModelSpec")
PredictRequest = _class("PredictRequest")
PredictResponse = _class("PredictResponse")
PredictionLog = _class("PredictionLog")
GetModelMetadataRequest = _class("GetModelMetadataRequest")
GetModelMetadataResponse = _class("GetModelMetadataResponse")
GetModelStatusRequest = _class("GetModelStatusRequest")
GetModelStatusResponse = _class("GetModelStatusResponse")
ModelConfig = _class("ModelConfig")
ModelServerConfig = _class("ModelServerConfig")
BatchingParameters = _class("BatchingParameters")


class Method(NamedTuple):
    """A method of one of TF Serving's services, and what it takes and gives."""

    service: str
    name: str
    request: type[Message]
    response: type[Message]


PREDICTION_SERVICE, MODEL_SERVICE = f"{PACKAGE}.PredictionService", f"{PACKAGE}.ModelService"
PREDICT = Method(PREDICTION_SERVICE, "Predict", PredictRequest, PredictResponse)
GET_MODEL_METADATA = Method(
    PREDICTION_SERVICE, "GetModelMetadata", GetModelMetadataRequest, GetModelMetadataResponse
)
GET_MODEL_STATUS = Method(
    MODEL_SERVICE, "GetModelStatus", GetModelStatusRequest, GetModelStatusResponse
)


def spec_of(address: Address, signature: str = "") -> Message:
    """The ModelSpec of an address, with the name of a signature.

    Example:

    >>> from keras_bert.serving.wire import messages
    >>> from keras_bert.serving.wire.address import Address
    >>> messages.address_of(messages.spec_of(Address("sst2", version=3)))
    Address(name='sst2', version=3, label=None)
    """
    spec = ModelSpec(name=address.name, signature_name=signature)
    if address.version is not None:
        spec.version.value = address.version
    elif address.label is not None:
        spec.version_label = address.label
    return spec


def address_of(spec: Message) -> Address:
    """What a ModelSpec says."""
    version = spec.version.value if spec.HasField("version") else None
    return Address(spec.name, version, spec.version_label or None)


def signatures_of(signature_defs: Message) -> dict[str, signatures.Signature]:
    """What a SignatureDefMap says, by the signature's name."""
    content = json_format.MessageToDict(signature_defs, preserving_proto_field_name=True)
    return signatures.read(content.get("signature_def", {}))
