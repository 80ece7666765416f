"""Serving of SavedModels: the wire, the client that asks, and the server to develop with."""
