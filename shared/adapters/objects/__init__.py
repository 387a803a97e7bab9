"""Object stores: one module for each kind, imported only when a storage of that kind is used."""
