"""Objects become tasks."""
