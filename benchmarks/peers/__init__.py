"""Other ways to load the same files; each module is a program: `python -m peers.<module> SOURCE OUT`."""
