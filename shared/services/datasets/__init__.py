"""Dataset storages: objects become records, which a chunk's ledger holds by itself; and what is read of them."""
