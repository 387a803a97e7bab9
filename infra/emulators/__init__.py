"""Servers that stand in for the clouds on one machine: found, started on a free port, stopped.

`python -m infra.emulators` starts all that are found; tests start what they need (`tests/emulators.py`).
"""

from infra.emulators import azurite, cloud_tasks, firestore, gcs, pubsub, redis
from infra.emulators.process import HOST, Emulator, EmulatorError, Missing, Running, free_port, running

__all__ = ["ALL", "HOST", "Emulator", "EmulatorError", "Missing", "Running", "free_port", "running"]

ALL = (azurite.find, cloud_tasks.find, firestore.find, gcs.find, pubsub.find, redis.find)
"""Finds each emulator there is."""
