"""Use cases. They know the ports and the records, never a vendor, never HTTP."""
