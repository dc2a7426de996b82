"""The command export: rows of a table, a view or a query as a file for another program, or as a folder with a file a day.

`source` finds the rows, `writers` and `spreadsheet` write a file of them, `target` gives it its place,
`by_date` keeps a folder.
"""
