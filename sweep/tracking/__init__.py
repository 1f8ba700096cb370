"""The picture of the records in MLflow."""
