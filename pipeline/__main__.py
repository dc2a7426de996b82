"""`python -m pipeline` is `lakehouse`, and so is `python -m engagement_lakehouse`, which runs this module, too."""

from .cli.__main__ import main

if __name__ == "__main__":
    main()
