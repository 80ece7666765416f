"""The messages against those of TensorFlow and tensorflow-serving-api: fields, numbers, bytes."""

import pytest

pytest.importorskip("tensorflow_serving")

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from keras_bert.serving.wire import messages, signatures
from keras_bert.serving.wire.address import Address

# What others are made of is looked at with them.
WHOLE = {
    messages.SavedModel: saved_model_pb2.SavedModel,
    messages.SignatureDefMap: get_model_metadata_pb2.SignatureDefMap,
    messages.PredictionLog: prediction_log_pb2.PredictionLog,
    messages.GetModelMetadataRequest: get_model_metadata_pb2.GetModelMetadataRequest,
    messages.GetModelMetadataResponse: get_model_metadata_pb2.GetModelMetadataResponse,
    messages.GetModelStatusRequest: get_model_status_pb2.GetModelStatusRequest,
    messages.GetModelStatusResponse: get_model_status_pb2.GetModelStatusResponse,
    messages.ModelServerConfig: model_server_config_pb2.ModelServerConfig,
}


def numbers(enum):
    return {value.name: value.number for value in enum.values}


def assert_alike(ours, theirs, seen):
    """Each field of ours is one of theirs."""
    if theirs.full_name in seen or theirs.full_name.startswith("google."):
        return
    seen.add(theirs.full_name)
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        for what in ("number", "type", "is_repeated", "has_presence"):
            assert getattr(field, what) == getattr(other, what), (ours.name, field.name, what)
        choices = [one and one.name for one in (f.containing_oneof for f in (field, other))]
        assert choices[0] == choices[1], field.name
        if field.enum_type is not None:
            assert numbers(field.enum_type).items() <= numbers(other.enum_type).items()
        if field.message_type is not None:
            assert_alike(field.message_type, other.message_type, seen)


@pytest.mark.parametrize("ours", WHOLE, ids=lambda message: message.DESCRIPTOR.name)
def test_fields_have_the_names_numbers_and_types_of_theirs(ours):
    assert_alike(ours.DESCRIPTOR, WHOLE[ours].DESCRIPTOR, set())


@pytest.mark.parametrize(
    "ours", [messages.ModelServerConfig, messages.GetModelStatusResponse], ids=lambda m: m.__name__
)
def test_nothing_is_left_out_of_what_people_write_and_read(ours):
    def names(message):
        for field in message.fields:
            yield field.name
            if field.message_type and not field.message_type.full_name.startswith("google."):
                yield from names(field.message_type)

    assert sorted(names(ours.DESCRIPTOR)) == sorted(names(WHOLE[ours].DESCRIPTOR))


def filled(request):
    request.model_spec.name, request.model_spec.signature_name = "toy", "words"
    request.model_spec.version.value = 1 << 40
    request.output_filter.append("label")
    for name in ("b", "a"):
        proto = request.inputs[name]
        proto.dtype = messages.DATA_TYPES["DT_STRING"]
        proto.tensor_shape.dim.add(size=300)
        proto.string_val.extend([b"\xff"] * 300)
    proto.half_val.extend([1, 300])
    proto.float_val.extend([0.5, -1.0])
    proto.uint64_val.append((1 << 64) - 1)
    return request


def test_the_same_bytes():
    ours, theirs = messages.PredictionLog(), prediction_log_pb2.PredictionLog()
    found = [
        filled(log.predict_log.request) and log.SerializeToString(deterministic=True)
        for log in (ours, theirs)
    ]
    assert found[0] == found[1]
    assert ours.FromString(found[1]) == ours


def test_one_choice_takes_the_place_of_another():
    spec = messages.ModelSpec(version={"value": 3})
    spec.version_label = "stable"
    assert not spec.HasField("version")


@pytest.mark.parametrize(
    "address", [Address("toy"), Address("toy", version=0), Address("toy", label="stable")]
)
def test_addresses_there_and_back(address):
    sent = messages.spec_of(address, "words").SerializeToString()
    assert messages.ModelSpec.FromString(sent).signature_name == "words"
    assert messages.address_of(messages.ModelSpec.FromString(sent)) == address


def test_fields_that_are_not_here_are_kept():
    theirs = predict_pb2.PredictRequest(client_id=b"me", output_filter=["a"])
    sent = messages.PredictRequest.FromString(theirs.SerializeToString()).SerializeToString()
    assert predict_pb2.PredictRequest.FromString(sent) == theirs


def test_signatures_are_packed_under_the_same_name():
    response = messages.GetModelMetadataResponse()
    response.metadata[signatures.SIGNATURE_DEF].Pack(messages.SignatureDefMap())
    url = response.metadata[signatures.SIGNATURE_DEF].type_url
    assert url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"


def test_methods_are_those_of_the_stubs():
    class Channel:
        def unary_unary(self, path, **_):
            paths.append(path)

    paths = []
    prediction_service_pb2_grpc.PredictionServiceStub(Channel())
    for method in (messages.PREDICT, messages.GET_MODEL_METADATA):
        assert f"/{method.service}/{method.name}" in paths


def test_a_field_is_written_as_protobuf_writes_it():
    message = messages.descriptor_pb2.DescriptorProto(name="Dim")
    with pytest.raises(ValueError, match="but is 'int64 size'"):
        messages._add_field(message, "int64 size")
