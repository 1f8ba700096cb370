"""The students that a sweep keeps, their model cards, and the best student as a model in MLflow."""
