"""Pure rules: no I/O, no clock; whoever calls passes the time in."""
