"""Document stores: Firestore in the cloud, SQLite on one machine. Import the module of the one that is wanted."""
