"""`python -m pipeline`: the same as `lakehouse`, whose entry point is `pipeline.cli.__main__`."""

from pipeline.cli.__main__ import main

if __name__ == "__main__":
    main()
