"""Full syncs of targets: every annotation of the project is to be in the bucket. The part that writes is to come."""

from shared.model.run import Trigger
from shared.services import runs
from shared.services.context import Context


def start(ctx: Context, storage_id: int, trigger: Trigger = "api") -> str:
    """Starts a full sync of an export storage and returns the run's id; one under way is left alone.

    The run has the gate, the lanes and the one root chunk of any run. It stays queued: workers pass it over until
    there is something that writes. Raises `NotFoundError`.
    """
    return runs.start_run(ctx, storage_id, trigger)
