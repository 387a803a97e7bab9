"""The functions that are deployed."""

from functions.api import api
from functions.sweep import sweep
from functions.sync_chunk import sync_chunk

__all__ = ["api", "sweep", "sync_chunk"]
