"""Media as the documentation at /docs has them."""

from pydantic import Field

from functions.schemas import Shape, example


class MediaError(Shape):
    """Why a storage does not give an object."""

    error: str = Field(description="What happened.")
    detail: str = Field(description="What the storage says, and what to do about it.")


class ResolveMany(Shape):
    """URIs to be signed."""

    model_config = example(uris=["s3://pictures/cats/1.jpg", "gs://sounds/2.wav"])

    uris: list[str] = Field(description="Of objects that storages of the project cover; at most 1,000.")


class ResolvedUri(Shape):
    """What became of a URI."""

    uri: str = Field(description="The URI as it was given.")
    url: str | None = Field(description="Where to load it: signed, or this server's own. Null if it can't be had.")
    expires_at: float | None = Field(description="When the signature ends, in seconds since 1970; null for none.")
    error: str | None = Field(description="Why it can't be had; else null.")


class ResolvedMany(Shape):
    """What became of all URIs."""

    results: list[ResolvedUri] = Field(description="In the order of the request.")
