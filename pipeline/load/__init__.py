"""Source files into a lake: find, read in workers, commit."""
