"""Stand-in providers: servers of Terraform's plugin protocol that know schemas and have no cloud behind them.

Terraform itself checks names, types and references by the schemas; the stand-ins plan and apply what keeps these rules.
They know nothing of what the clouds' own providers check beyond them: which values an argument takes, which arguments
exclude each other, which change makes a resource anew.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import grpc

from infra.terraform import schemas, values
from infra.terraform.schemas import Block, Schema

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
    _, services = _protocol()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    services.add_ProviderServicer_to_server(StandIn(schema), server)
    port = server.add_insecure_port(f"{_HOST}:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


@cache
def _protocol() -> Any:
    return grpc.protos_and_services("infra/terraform/provider.proto")


class StandIn:
    """One provider. Its methods are the calls of `provider.proto`, which gives them their names."""

    def __init__(self, schema: Schema) -> None:
        self._messages, _ = _protocol()
        self._types = schema.types
        self._schemas = self._messages.Schemas(provider=self._schema(schema.provider))
        for kind, types in schema.types.items():
            for name, block in types.items():
                getattr(self._schemas, kind)[name].CopyFrom(self._schema(block))
        self._defaults: dict[str, Any] = {}

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

    def _answer(self, value: Any) -> Any:
        return self._messages.Answer(value=self._messages.Value(msgpack=values.pack(value)))

    def GetProviderSchema(self, _request: Any, _context: Any) -> Any:
        return self._schemas

    def ValidateProviderConfig(self, _request: Any, _context: Any) -> Any:
        return self._messages.Answer()

    def ValidateResourceConfig(self, _request: Any, _context: Any) -> Any:
        return self._messages.Problems()

    ValidateDataResourceConfig = ValidateEphemeralResourceConfig = ValidateResourceConfig
    RenewEphemeralResource = CloseEphemeralResource = ValidateResourceConfig

    def ConfigureProvider(self, request: Any, _context: Any) -> Any:
        config = values.unpack(request.value.msgpack)
        self._defaults = {name: config[name] for name in _FROM_PROVIDER if isinstance(config.get(name), str)}
        return self._messages.Problems()

    def UpgradeResourceState(self, request: Any, _context: Any) -> Any:
        return self._answer(json.loads(request.raw.json))

    def ReadResource(self, request: Any, _context: Any) -> Any:
        return self._messages.Answer(value=request.value)

    def PlanResourceChange(self, request: Any, _context: Any) -> Any:
        after = values.unpack(request.after.msgpack)
        if after is None:  # it goes
            return self._answer(None)
        return self._answer(values.planned(self._types["resource"][request.name], after, self._defaults))

    def ApplyResourceChange(self, request: Any, _context: Any) -> Any:
        after = values.unpack(request.after.msgpack)
        if after is None:
            return self._answer(None)
        block = self._types["resource"][request.name]
        return self._answer(values.filled(request.name, block, after, self._defaults))

    def ReadDataSource(self, request: Any, _context: Any) -> Any:
        block = self._types["data"][request.name]
        config = values.unpack(request.value.msgpack)
        return self._answer(values.filled(request.name, block, config, self._defaults))

    def OpenEphemeralResource(self, request: Any, _context: Any) -> Any:
        block = self._types["ephemeral"][request.name]
        result = values.opened(block, values.unpack(request.value.msgpack))
        return self._messages.Opened(result=self._messages.Value(msgpack=values.pack(result)))

    def StopProvider(self, _request: Any, _context: Any) -> Any:
        return self._messages.Nothing()
