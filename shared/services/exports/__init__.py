"""Targets: annotations reach the bucket of every export storage of their project, once for each state, newest last."""
