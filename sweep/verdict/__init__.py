"""What the scores of a sweep show: does matching help, does the strategy matter. Pure statistics over a tidy table.

It imports neither torch, Ray nor MLflow, and nothing of the report.
"""
