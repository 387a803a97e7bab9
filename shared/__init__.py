"""Everything that is not an entry point."""

__version__ = "0.2.0"
