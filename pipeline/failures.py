"""Turns errors of DuckDB, Arrow, Delta and the system about a Parquet file into one LakeError.

The sentence names the file and holds no value of the data: DuckDB may quote a customer's text from a damaged file.
"""

import re
from typing import Final

from pipeline import schema
from pipeline.errors import DamagedError, LakeError

_FILE: Final = re.compile(
    rf"(?:[a-z0-9]+://|/)[^\"\n]*?/({'|'.join(schema.STORED)})/(?:date=[^/\"\n]+/)?[\w-]*[0-9a-f]{{8,}}\.parquet"
)
_GONE: Final = re.compile("No files found|No such file|missing file|not found|HTTP 404|FileNotFound|NoSuchKey", re.IGNORECASE)
_REFUSED: Final = re.compile("Permission denied|Cannot open file|Access is denied|Forbidden|Operation not permitted")
_VALUE: Final = re.compile(r"(?:[:,]?\s*\bvalue\b\s*)?(\"|').*", re.DOTALL)
_OF_THE_DATA: Final = {
    "ConversionException",
    "InvalidInputException",
    "OutOfRangeException",
    "Error",
    "DataError",
    "InternalException",
}
_OF_THE_END: Final = "don't know what type"  # of the decoder of a Parquet file's end
READ_ALL: Final = "lakehouse verify --read-data"


def of_a_file(error: BaseException) -> LakeError | None:
    """The LakeError for an error about a Parquet file of the lake; None for other errors."""
    text = f"{error} {getattr(error, 'filename', None) or ''}"
    named = _FILE.search(text)
    if named is None:
        is_decoder = is_of_duckdb(error) and type(error).__name__ == "Error"  # its error for all that it can't decode
        return DamagedError(f"a Parquet file is damaged ({without_values(error)})", READ_ALL) if is_decoder else None
    where, table = named[0], named[1]
    if _GONE.search(text.replace(where, "")):
        return DamagedError(f"{where}: a file of the lake is gone (table {table})")
    reason = without_values(error)
    if _REFUSED.search(text.replace(where, "")) or isinstance(error, PermissionError):
        return LakeError(f"{where}: a file of the lake can't be read (table {table}: {reason}); give this user the right to it")
    return DamagedError(f"{where}: a file of the lake is damaged (table {table}: {reason})", READ_ALL)


def without_values(error: BaseException) -> str:
    """The first line of a library's error, without the file and, if it is about data, without quoted values."""
    text = getattr(error, "strerror", None) or _FILE.sub("", str(error).partition("\n")[0]).replace('""', "")
    if is_of_duckdb(error) and type(error).__name__ in _OF_THE_DATA:
        if text.startswith(_OF_THE_END):
            return "its end names a type that there is not"
        text = re.sub(r"Failed to read file\s*:?|found in Parquet file\s*(?=:)", "", _VALUE.sub("", text))
        text = text.removeprefix("Invalid Input Error: ")
    return " ".join(text.split()).strip(" :") or type(error).__name__


def is_of_duckdb(error: BaseException) -> bool:
    """Whether it is an error of DuckDB."""
    return type(error).__module__ in {"duckdb", "_duckdb"}
