"""Stand-in providers: servers of Terraform's plugin protocol that know schemas and have no cloud behind them.

Terraform itself checks names, types and references by the schemas; the stand-ins plan and apply what keeps these rules.
They know nothing of what the clouds' own providers check beyond them: which values an argument takes, which arguments
exclude each other, which change makes a resource anew.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from infra.terraform import schemas, values
from infra.terraform.schemas import Block, Schema

Call = Callable[[Any], Any]
_HOST = "127.0.0.1"
_NESTING = {"single": 1, "list": 2, "set": 3}
_FROM_PROVIDER = ("project", "region", "zone")


@contextmanager
def standing_in() -> Iterator[dict[str, str]]:
    """The environment that makes Terraform use the stand-ins, for every provider that has schemas."""
    with ExitStack() as stack:
        attached = {}
        for name in schemas.names():
            schema = schemas.load(name)
            port = stack.enter_context(_serving(schema))
            attached[f"registry.terraform.io/{schema.source}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": os.getpid(),
                "Test": True,  # so Terraform does not end the process
                "Addr": {"Network": "tcp", "String": f"{_HOST}:{port}"},
            }
        yield {"TF_REATTACH_PROVIDERS": json.dumps(attached)}


@contextmanager
def _serving(schema: Schema) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers([_handlers(StandIn(schema, _messages()).calls)])
    port = server.add_insecure_port(f"{_HOST}:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


@cache
def _messages() -> Any:
    """The messages of `provider.proto`, compiled now: no generated code to keep."""
    return grpc.protos("infra/terraform/provider.proto")


def _handlers(calls: dict[str, Call]) -> grpc.GenericRpcHandler:
    service = _messages().DESCRIPTOR.services_by_name["Provider"]
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(
            lambda request, _, call=calls[method.name]: call(request),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )
        for method in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


class StandIn:
    """One provider."""

    def __init__(self, schema: Schema, messages: Any) -> None:
        self._messages = messages
        self._types = schema.types
        self._schemas = messages.Schemas(provider=self._schema(schema.provider))
        for kind, types in schema.types.items():
            for name, block in types.items():
                getattr(self._schemas, kind)[name].CopyFrom(self._schema(block))
        self._defaults: dict[str, Any] = {}

    @property
    def calls(self) -> dict[str, Call]:
        """What it does when Terraform calls."""
        messages = self._messages
        return {
            "GetProviderSchema": lambda _: self._schemas,
            "ValidateProviderConfig": lambda _: messages.Answer(),
            "ValidateResourceConfig": lambda _: messages.Problems(),
            "ValidateDataResourceConfig": lambda _: messages.Problems(),
            "ValidateEphemeralResourceConfig": lambda _: messages.Problems(),
            "UpgradeResourceState": lambda request: self._answer(json.loads(request.raw.json)),
            "ConfigureProvider": self._configure,
            "ReadResource": lambda request: messages.Answer(value=request.value),
            "PlanResourceChange": self._plan,
            "ApplyResourceChange": self._apply,
            "ReadDataSource": self._read,
            "OpenEphemeralResource": self._open,
            "RenewEphemeralResource": lambda _: messages.Problems(),
            "CloseEphemeralResource": lambda _: messages.Problems(),
            "StopProvider": lambda _: messages.Nothing(),
        }

    def _schema(self, block: Block) -> Any:
        return self._messages.Schema(block=self._block(block))

    def _block(self, block: Block) -> Any:
        attributes = [
            self._messages.Attribute(
                name=name,
                type=json.dumps(one.type).encode(),
                required=one.how == "required",
                optional=one.how in {"optional", "filled", "write-only"},
                computed=one.made_by_cloud,
                sensitive=one.sensitive,
                write_only=one.how == "write-only",
            )
            for name, one in block.attributes.items()
        ]
        blocks = [
            self._messages.NestedBlock(
                name=name,
                block=self._block(one.block),
                nesting=_NESTING[one.nesting],
                least=one.least,
                most=one.most,
            )
            for name, one in block.blocks.items()
        ]
        return self._messages.Block(attributes=attributes, blocks=blocks)

    def _configure(self, request: Any) -> Any:
        config = values.unpack(request.value.msgpack)
        self._defaults = {name: config[name] for name in _FROM_PROVIDER if isinstance(config.get(name), str)}
        return self._messages.Problems()

    def _plan(self, request: Any) -> Any:
        after = values.unpack(request.after.msgpack)
        if after is None:  # the resource goes
            return self._answer(None)
        return self._answer(values.planned(self._types["resource"][request.name], after, self._defaults))

    def _apply(self, request: Any) -> Any:
        after = values.unpack(request.after.msgpack)
        if after is None:
            return self._answer(None)
        block = self._types["resource"][request.name]
        return self._answer(values.filled(request.name, block, after, self._defaults))

    def _read(self, request: Any) -> Any:
        block = self._types["data"][request.name]
        config = values.unpack(request.value.msgpack)
        return self._answer(values.filled(request.name, block, config, self._defaults))

    def _open(self, request: Any) -> Any:
        block = self._types["ephemeral"][request.name]
        result = values.opened(block, values.unpack(request.value.msgpack))
        return self._messages.Opened(result=self._value(result))

    def _answer(self, value: Any) -> Any:
        return self._messages.Answer(value=self._value(value))

    def _value(self, value: Any) -> Any:
        return self._messages.Value(msgpack=values.pack(value))
