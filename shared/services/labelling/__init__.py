"""Tasks, and what people and models say of them."""
