"""The formats that tables are written in, a module each.

`markdown`, `latex` and `terminal` write a `report.document.Document`, `csv_rows` its numbers.
"""
