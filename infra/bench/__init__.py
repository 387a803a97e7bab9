"""How fast it is: `python -m infra.bench`."""
