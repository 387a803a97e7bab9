"""Runs of a storage: started, woken, claimed chunk by chunk, judged and ended; of every direction."""
