"""An eCRM that needs no servers: the code that every function shares."""

import gc

gc.set_threshold(100_000, 10, 10)
"""A start makes tens of thousands of objects that all stay: looking for garbage among them took some 5 % of its CPU."""
