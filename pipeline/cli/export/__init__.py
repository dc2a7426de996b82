"""The command export: rows of a table, a view or a query as a file for another program, or as a folder with a file a day.

`source` finds the rows, `writers` and `spreadsheet` write a file of them, `target` gives it its place,
`by_date` keeps a folder.
"""

from pipeline.cli.export.by_date import export_by_date
from pipeline.cli.export.source import Choice, find_source
from pipeline.cli.export.target import form_of, target_at
from pipeline.cli.export.writers import export_file

__all__ = ["Choice", "export_by_date", "export_file", "find_source", "form_of", "target_at"]
