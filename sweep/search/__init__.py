"""Optuna studies that choose the settings of each group of cells; without Ray and MLflow."""
