"""One suite per port; every adapter passes all of it."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.conformance.{suite}"
        for suite in ("documents", "documents_limits", "documents_queries", "objects", "queues")
    )
)
