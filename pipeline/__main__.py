"""`python -m pipeline` is `lakehouse`."""

from pipeline.cli.__main__ import main

if __name__ == "__main__":
    main()
