"""Addresses of pages of MLflow's UI."""

from __future__ import annotations

from sweep.tracking import views


def test_what_a_servers_address_asks_for_goes_behind_the_path() -> None:
    assert views.page("http://mlflow:5000/", "experiments/7") == "http://mlflow:5000/#/experiments/7"
    server = "https://host/mlflow/?workspace=default"
    assert views.page(server, "experiments/7/runs/a") == "https://host/mlflow/#/experiments/7/runs/a?workspace=default"
    runs = "https://host/mlflow/#/experiments/7/runs?workspace=default"
    assert views.link(server, "7", "grouped") == f"{runs}&compareRunsMode=TABLE&viewStateShareKey=grouped"
