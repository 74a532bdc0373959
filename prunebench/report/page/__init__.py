"""The report as one HTML page that opens from the file system, without a server and without network.

`vega.js` is the runtime of Vega (`tools/vega.py` makes it), `vega.licenses.txt` says whose it is.
"""
