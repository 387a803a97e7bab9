"""Buckets are told to notify, as whom the environment says we are: by the command line, and by no function."""
