"""Kernels: the loops that most time goes into, compiled. Each has a readable twin that tests hold it against."""
