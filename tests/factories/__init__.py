"""Rows for tests: the ordinary case in one call, consistent, at fixed instants."""
