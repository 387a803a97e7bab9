"""What stores have in common that browsers can't reach."""

from shared.ports import SignedMethod, SignedUrl


class Unsigned:
    """A store without signed URLs."""

    def presign(
        self,
        key: str,  # noqa: ARG002
        *,
        seconds: float,  # noqa: ARG002
        method: SignedMethod = "GET",  # noqa: ARG002
        content_type: str = "",  # noqa: ARG002
    ) -> SignedUrl | None:
        """None: an object is had through Sluice alone."""
        return None
