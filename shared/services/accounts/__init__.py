"""Who calls: users, and the tokens they prove it with."""
