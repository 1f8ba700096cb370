"""Sweeps submitted to the cluster: all families, another at once, the first again after the cluster was down."""

from __future__ import annotations

from typing import Any

from sweep.tracking.tags import DESCRIPTION
from tests.cluster.compose import Cluster, metrics_of, tags_of
from tests.cluster.conftest import ALL, LONG, sweep
from tests.sweep.tiny import TASK_OF


def test_all_families_on_both_workers(cluster: Cluster, swept: str) -> None:
    cells = cluster.runs(ALL, "cell")
    assert len(cells) == 2 * len(TASK_OF)
    assert len(cluster.runs(ALL, "teacher")) == len(TASK_OF)
    assert {run["info"]["status"] for run in [*cells, *cluster.runs(ALL, "sweep")]} == {"FINISHED"}
    workers = {cluster.container("ray-worker", number)[:12] for number in (1, 2)}
    hosts = {tags_of(run)["host"] for run in [*cells, *cluster.runs(ALL, "teacher")]}
    assert hosts == workers
    assert {tags_of(run)["git_commit"] for run in cells} == {cluster.commit}


def test_runs_say_what_they_are(cluster: Cluster, swept: str) -> None:
    parent = cluster.runs(ALL, "sweep")[0]
    teachers = {tags_of(run)["model"]: tags_of(run)[DESCRIPTION] for run in cluster.runs(ALL, "teacher")}
    cells = {tags_of(run)["mlflow.runName"]: tags_of(run)[DESCRIPTION] for run in cluster.runs(ALL, "cell")}
    assert tags_of(parent)[DESCRIPTION] == "Distillation sweep of 8 cells and 4 teachers."
    about = "The teacher of tiny-t5 on localisation, which its students are matched to."
    assert (len(teachers), teachers["tiny-t5"]) == (4, about)
    assert len(cells) == len(set(cells.values())) == 8
    assert max(map(len, cells)) <= 60


def test_the_sweep_and_its_teachers_show_how_busy_their_machines_were(cluster: Cluster, swept: str) -> None:
    teacher = next(run for run in cluster.runs(ALL, "teacher") if tags_of(run)["model"] == "tiny-bert")
    for run in (cluster.runs(ALL, "sweep")[0], teacher):
        busy = {key: value for key, value in metrics_of(run).items() if key.startswith("system/")}
        assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(busy), busy
        assert busy["system/system_memory_usage_megabytes"] > 0


def test_runs_are_in_postgres_and_artifacts_come_through_the_proxy(cluster: Cluster, swept: str) -> None:
    parent = cluster.runs(ALL, "sweep")[0]
    count = "SELECT count(*) FROM runs WHERE status = 'FINISHED'"
    psql = ["psql", "--username", "postgres", "--dbname", "mlflow", "--tuples-only", "--no-align", "--command", count]
    found = cluster.docker("exec", "--user", "postgres", cluster.container("postgres"), *psql)
    assert int(found) >= 3 * len(TASK_OF) + 1
    where = parent["info"]["artifact_uri"]
    assert where.startswith("mlflow-artifacts:/"), where
    path = where.removeprefix("mlflow-artifacts:/")
    status, page = cluster.api("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}/report.html")
    assert status == 200
    assert ALL.encode() in page
    cell = cluster.runs(ALL, "cell")[0]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    status, angles = cluster.api("GET", f"/api/2.0/mlflow-artifacts/artifacts/{cell}/angles.npz")
    assert (status, angles[:2]) == (200, b"PK")


def test_two_sweeps_at_once_share_the_cluster(cluster: Cluster, swept: str) -> None:
    (one,), (other,) = (cluster.runs(name, "sweep") for name in (ALL, LONG))
    cells = cluster.runs(LONG, "cell")
    assert [run["info"]["status"] for run in (one, other, *cells)] == ["FINISHED"] * (2 + 2)
    for run, beside in ((one, other), (other, one)):
        assert run["info"]["start_time"] < beside["info"]["end_time"]


def test_a_wrong_config_ends_with_2(cluster: Cluster) -> None:
    wrong: dict[str, Any] = {**sweep("wrong", ["bert"], 4, ["forward"]), "resources": {"cpus": 64}}
    status, shown = cluster.submit(cluster.write("wrong.yaml", wrong))
    assert status == 2, shown
    assert "resources.cpus: got 64; no node has more than 2" in shown


def test_down_and_up_again_keeps_everything_and_a_second_submission_finds_it_done(cluster: Cluster, swept: str) -> None:
    def known() -> list[tuple[str, dict[str, float]]]:
        return sorted((run["info"]["run_id"], metrics_of(run)) for run in cluster.runs(ALL, "cell"))

    before = known()
    cluster.make("down")
    cluster.make("up", "--workers", "2")
    assert known() == before
    status, shown = cluster.submit(f"{ALL}.yaml")
    assert status == 0, shown
    assert f"nothing to run: teachers: 4 done; cells: {2 * len(TASK_OF)} done" in shown.splitlines()
