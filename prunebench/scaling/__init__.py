"""Laws of the error of pruned networks (imports no torch).

form: what a functional form is, and what it says of its coefficients
points: what was measured
files: points read from files
fit: a form fitted to points
law: a fit that is asked for the errors of networks
studies: what the law does on points that it was not fitted to
drawing: what figures show of it
"""
