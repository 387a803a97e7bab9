"""Entry points: parse, call a service, answer."""
