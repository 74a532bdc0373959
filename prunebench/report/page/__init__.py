"""The report as one HTML page that opens from the file system, without a server and without network.

`vega.js` is the runtime of Vega (`tools/vega.py` makes it), `vega.licenses.txt` says whose it is. The scripts
in js/ stand in the page one after the other, in the order of their names.
"""

from prunebench.report.page.about import about_records
from prunebench.report.page.content import Content
from prunebench.report.page.files import figure_files
from prunebench.report.page.folder import PAGE, write
from prunebench.report.page.render import render

__all__ = ["PAGE", "Content", "about_records", "figure_files", "render", "write"]
