"""Task queues: one module for each technology behind the `TaskQueue` port."""
