"""A search through the schedules of the real services: kills, duplicates, lapsing leases, purges at every port call."""
