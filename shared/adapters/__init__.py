"""The outside world behind the ports; the only place that imports a vendor's SDK."""
