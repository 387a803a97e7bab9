"""The smoke test of a deployment: a project, a storage, two syncs, a medium, and nothing left of it in the end."""
