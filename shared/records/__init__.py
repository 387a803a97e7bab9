"""Collections of the document store: how each model object is stored, and the queries over it."""
