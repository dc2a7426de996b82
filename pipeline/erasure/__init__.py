"""Erased people: keyed hashes of their ids, and every place they have to leave."""
