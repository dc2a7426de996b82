"""Compact and verify a lake."""
