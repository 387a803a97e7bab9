"""What the shapes of requests and answers have in common; they are for the documentation at /docs alone.

Requests are checked by `shared.model`. That answers are what is said here is checked by the tests.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Moment = Annotated[str, Field(examples=["2026-11-22T03:53:23.011897Z"])]
"""A time as answers give it: ISO 8601 in UTC."""


class Shape(BaseModel):
    """A body. Its schema is made for the document: a process that never shows that does not make it."""

    model_config = ConfigDict(defer_build=True)


def sample(value: Any) -> ConfigDict:
    """`model_config` of a body with this example. A test sends each of them."""
    return ConfigDict(defer_build=True, json_schema_extra={"examples": [value]})


def example(**fields: Any) -> ConfigDict:
    """`model_config` of a body with an example that has these fields."""
    return sample(fields)


class ErrorBody(Shape):
    """What is wrong, and what to do about it."""

    id: str = Field(description="Of this answer; what the server's log has of an unexpected error is under it.")
    status_code: int = Field(description="The status of the answer.")
    version: str = Field(description="The server's version.")
    detail: str = Field(description="What is wrong.")
    exc_info: None = Field(description="Always null.")
    validation_errors: dict[str, list[str]] = Field(
        {},
        description="By field, what is wrong with it; under `non_field_errors` what no single field is to blame for. "
        "Only there if the content of the request is at fault.",
    )


class Message(Shape):
    """What is wrong with a storage that is not `synchronizable`."""

    message: str = Field(description="What is wrong.")


class Detail(Shape):
    """A sentence."""

    detail: str = Field(description="What there is to say.")


class Version(Shape):
    """The version of this server, where Label Studio's clients look for it."""

    release: str = Field(description="The version.")
    sluice: dict[str, str] = Field(description="The version, under `version`.")


class Health(Shape):
    """That the server runs."""

    status: str = Field(description="Always UP.")
