"""Bringing a history along from another call tracker.

A file is read as a :mod:`~pbx.imports.sheet` (headers in any spelling, every fault with line and column),
its rows become calls and trackers (:mod:`~pbx.imports.callrail`). Calls go into the store marked with where
they are from, once, however often they are imported; trackers become a proposal in YAML that an admin
reads (:mod:`~pbx.imports.proposal`). :mod:`~pbx.imports.parity` holds their figures against ours.
"""
