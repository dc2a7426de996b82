"""The SQL that reads Parquet files of a table, and texts in SQL, said once."""

from collections.abc import Iterable


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """A list of texts as SQL writes it."""
    return f"[{', '.join(map(literal, texts))}]"


def rows_in(files: str, *, with_date: bool = False, with_filename: bool = False) -> str:
    """The rows of Parquet files, for a `from`: `files` is a parameter such as `$files`, or a list of `literals`.

    `with_date` adds the column of the partition, `with_filename` that of the file's URL.
    """
    hive = "hive_partitioning = true, hive_types = {'date': date}" if with_date else "hive_partitioning = false"
    return f"read_parquet({files}, {hive}{', filename = true' if with_filename else ''})"
