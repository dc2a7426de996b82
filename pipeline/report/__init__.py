"""The report: one HTML file with the lake's main figures, readable offline, on a phone and in print.

`head` and `cubes` read the views, `charts` describes the drawings, `page` puts them into `page.html.jinja` and writes the file.
"""

from pipeline.report.page import chosen_path, report_path, write_report

__all__ = ["chosen_path", "report_path", "write_report"]
