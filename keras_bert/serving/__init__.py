"""A served model: client, and the server to develop with."""
