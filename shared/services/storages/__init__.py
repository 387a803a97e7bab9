"""Storages as people make, edit, check and read them."""
