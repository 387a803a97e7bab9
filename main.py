"""The functions that are deployed."""

from functions.add_records import add_records
from functions.api import api
from functions.bucket_event import bucket_event
from functions.bucket_webhook import bucket_webhook
from functions.deliver_webhook import deliver_webhook
from functions.export_annotations import export_annotations
from functions.sweep import sweep
from functions.sync_chunk import sync_chunk

__all__ = [
    "add_records",
    "api",
    "bucket_event",
    "bucket_webhook",
    "deliver_webhook",
    "export_annotations",
    "sweep",
    "sync_chunk",
]
