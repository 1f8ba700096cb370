"""The students that stay: which ones, their model cards, and the best one in MLflow."""
