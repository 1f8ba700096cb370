"""The views of MLflow's UI, and addresses of its pages."""

from __future__ import annotations

import json

from sweep.tracking import views

SCORES = ["score/validation", "score/test", "score/of_the_way"]


def test_the_views_show_scores_and_axes_and_the_experiment_is_one_of_model_training() -> None:
    tags = views.tags(["train.learning_rate"])
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    parallel, grouped = (json.loads(tags[f"mlflow.sharedViewState.{view}"]) for view in views.VIEWS)
    (chart,) = parallel["compareRunCharts"]
    params = ["model.name", "strategy", "init", "train.learning_rate"]
    assert chart["selectedParams"] == params
    assert chart["selectedMetrics"] == ["seconds/total", *SCORES]  # the last one gives the colour
    assert [key["groupByData"] for key in grouped["groupBy"]["groupByKeys"]] == params
    assert grouped["selectedColumns"] == [f"metrics.`{name}`" for name in ("seconds/total", *SCORES)]
    assert "eval/loss" not in json.dumps(tags)


def test_what_a_servers_address_asks_for_goes_behind_the_path() -> None:
    mode = "workflowType=machine_learning"
    assert views.page("http://mlflow:5000/", "experiments/7") == f"http://mlflow:5000/#/experiments/7?{mode}"
    server = "https://host/mlflow/?workspace=default"
    asked = f"?workspace=default&{mode}"
    assert views.page(server, "experiments/7/runs/a") == f"https://host/mlflow/#/experiments/7/runs/a{asked}"
    runs = f"https://host/mlflow/#/experiments/7/runs{asked}"
    assert views.link(server, "7", "grouped") == f"{runs}&compareRunsMode=TABLE&viewStateShareKey=grouped"
