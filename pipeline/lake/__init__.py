"""Delta tables, the landing zone, and the commits that change them."""
