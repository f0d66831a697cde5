"""Notebook runs: execution by papermill, and the values that a run is given.

papermill takes seconds to import, so nothing here imports it before a notebook is executed.
"""
