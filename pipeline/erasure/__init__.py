"""Erase people: keep keyed hashes of their ids, and remove their conversations from every place."""
