"""The `sluice` command: syncs folders and buckets into projects, and shows what is there."""

from infra.cli.commands import app

__all__ = ["app"]
