"""Launches reported to an MLflow tracking server, where one is set and MLflow is installed; see docs/mlflow.md.

MLflow itself runs in a process of its own (`mlflow_process`): its import takes seconds, and neither its retries nor its
global state are the launch's. Whatever goes wrong there, the launch continues.
"""
