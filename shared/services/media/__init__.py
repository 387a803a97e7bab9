"""Objects as browsers load them: links in task data, signed URLs, and streams through this server."""
