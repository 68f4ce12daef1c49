"""`semreg serve`: annotations over HTTP, many clients' pictures in one batch, and a page to correct them on.

Follow a request: process.py (sockets, signals, workers) -> connection.py (bytes to requests, with time limits) ->
gate.py (who may ask, how much, how long) -> app.py (the routes) -> pictures.py (what is no picture) -> batching.py
(one model thread) -> the Annotator.
"""
