"""Rows for tests: the ordinary case in one call, at fixed instants, consistent as in production."""
