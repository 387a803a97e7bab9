"""What people run: the local stack, the command line, the demo, benchmarks."""
