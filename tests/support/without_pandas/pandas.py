"""No pandas: the program does not need it, and pyarrow would import it, which takes each process a quarter of a second."""

raise ImportError("no pandas")
