"""Who is refused, with which status; and that no secret shows where it should not."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.cluster.compose import PROJECT, Cluster, fetch
from tests.cluster.conftest import ALL

MLFLOW = "/api/2.0/mlflow"
PORTS = {"postgres": [5432], "ray-head": [6379, 8265, 10001, 52365], "mlflow": [5000], "ray-worker": [52365]}


@pytest.mark.parametrize(("token", "expected"), [(None, 401), ("0" * 64, 403)])
@pytest.mark.parametrize("path", ["/api/jobs/", "/nodes?view=summary", "/api/v0/actors", "/api/cluster_status"])
def test_the_dashboard_wants_the_token(cluster: Cluster, path: str, token: str | None, expected: int) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert fetch(urllib.request.Request(cluster.ray + path, headers=headers))[0] == expected


def test_a_job_without_the_token_is_not_run(cluster: Cluster) -> None:
    body = json.dumps({"entrypoint": "touch /sweeps/intruder"}).encode()
    request = urllib.request.Request(f"{cluster.ray}/api/jobs/", body, {"Content-Type": "application/json"})
    assert fetch(request)[0] == 401


def test_mlflow_wants_an_account(cluster: Cluster) -> None:
    for path in (f"{MLFLOW}/experiments/search?max_results=1", "/", "/api/2.0/mlflow-artifacts/artifacts?path="):
        assert cluster.api("GET", path, account=None)[0] == 401, path
        assert cluster.api("GET", path, password="wrong-password")[0] == 401, path
    for default in ("password1234", "password", "admin"):
        assert cluster.api("GET", "/", password=default)[0] == 401


def test_another_host_is_refused(cluster: Cluster) -> None:
    assert cluster.api("GET", f"{MLFLOW}/experiments/get?experiment_id=0", headers={"Host": "evil.example"})[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{MLFLOW}/experiments/create", {"name": "of-trials"}),
        ("POST", f"{MLFLOW}/experiments/delete", {"experiment_id": "EXPERIMENT"}),
        ("POST", f"{MLFLOW}/users/create", {"username": "someone", "password": "a-long-password"}),
        ("PATCH", f"{MLFLOW}/users/update-password", {"username": "driver", "password": "a-long-password"}),
        ("PATCH", f"{MLFLOW}/users/update-admin", {"username": "trials", "is_admin": True}),
        ("DELETE", f"{MLFLOW}/users/delete", {"username": "driver"}),
        ("POST", f"{MLFLOW}/registered-models/create", {"name": "of-trials"}),
        (
            "POST",
            "/api/3.0/mlflow/users/permissions/grant",
            {
                "username": "trials",
                "resource_type": "experiment",
                "resource_id": "EXPERIMENT",
                "permission": "MANAGE",
            },
        ),
    ],
)
def test_the_account_of_trials_edits_runs_and_no_more(
    cluster: Cluster, swept: str, method: str, path: str, body: dict[str, object]
) -> None:
    experiment = cluster.runs(ALL, "sweep")[0]["info"]["experiment_id"]
    asked = {key: experiment if value == "EXPERIMENT" else value for key, value in body.items()}
    assert cluster.api(method, path, asked, account="trials") == (403, b"Permission denied")
    assert cluster.api("GET", f"{MLFLOW}/experiments/get?experiment_id={experiment}", account="trials")[0] == 200


def test_the_account_of_the_driver_makes_no_accounts(cluster: Cluster) -> None:
    user = {"username": "someone", "password": "a-long-password"}
    assert cluster.api("POST", f"{MLFLOW}/users/create", user, account="driver")[0] == 403
    assert cluster.api("POST", f"{MLFLOW}/experiments/delete", {"experiment_id": "0"}, account="driver")[0] == 403


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "{run}/..%2f..%2f..%2f..%2fetc/passwd", "%252e%252e/etc"]
)
def test_artifacts_are_no_way_to_other_files(cluster: Cluster, swept: str, path: str) -> None:
    run = cluster.runs(ALL, "cell")[0]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for account in ("trials", "admin"):
        status, answer = cluster.api(
            "GET", f"/api/2.0/mlflow-artifacts/artifacts/{path.format(run=run)}", account=account
        )
        assert status in (400, 403), (account, status, answer)


def test_a_worker_with_a_wrong_token_does_not_join(cluster: Cluster) -> None:
    command = ["ray", "start", "--block", "--address", "ray-head:6379", "--num-cpus", "1"]
    network = f"--network={PROJECT}_cluster"
    given = ["--env=RAY_AUTH_MODE=token", f"--env=RAY_AUTH_TOKEN={'0' * 64}"]
    with pytest.raises(AssertionError) as refused:
        cluster.docker("run", "--rm", network, *given, f"{PROJECT}:cpu", "timeout", "60", *command)
    assert "nvalid" in str(refused.value) or "nauthenticated" in str(refused.value), refused.value
    headers = {"Authorization": f"Bearer {cluster.secrets['RAY_AUTH_TOKEN']}"}
    _, nodes = fetch(urllib.request.Request(f"{cluster.ray}/nodes?view=summary", headers=headers))
    assert sum(node["raylet"]["state"] == "ALIVE" for node in nodes["data"]["summary"]) == 3


def test_two_ports_are_published_on_this_machine_alone(cluster: Cluster) -> None:
    published = {}
    for service in PORTS:
        found = json.loads(cluster.docker("inspect", cluster.container(service)))[0]["NetworkSettings"]["Ports"]
        published[service] = [(each["HostIp"], each["HostPort"]) for bound in found.values() for each in bound or []]
    assert published.pop("ray-head") == [("127.0.0.1", cluster.ray_port)]
    assert published.pop("mlflow") == [("127.0.0.1", cluster.mlflow_port)]
    assert not any(published.values()), published


STRANGER = """
import json, socket, struct, sys
routes = [line.split() for line in open("/proc/net/route").readlines()[1:]]
machine = next(socket.inet_ntoa(struct.pack("<L", int(route[2], 16))) for route in routes if route[1] == "00000000")
opened = []
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host or machine, port), timeout=1).close()
        opened.append((host, port))
    except OSError:
        pass
print(json.dumps(opened))
"""
"""Tries ports from a container; no host: this machine's side of the container's network."""


def test_another_network_reaches_no_port(cluster: Cluster) -> None:
    """From a container that is not of the cluster, over the containers' own addresses, and over this machine's."""
    targets: list[tuple[str | None, int]] = [(None, int(port)) for port in (cluster.ray_port, cluster.mlflow_port)]
    for service, ports in PORTS.items():
        networks = json.loads(cluster.docker("inspect", cluster.container(service)))[0]["NetworkSettings"]["Networks"]
        targets += [(network["IPAddress"], port) for network in networks.values() for port in ports]
    opened = cluster.docker("run", "--rm", f"{PROJECT}:cpu", "python", "-c", STRANGER, json.dumps(targets))
    assert json.loads(opened) == []
    # The same from inside sees the head, so what was refused above was not a fault of the test.
    inside = ["python", "-c", STRANGER, json.dumps([("ray-head", 6379), ("postgres", 5432)])]
    assert json.loads(cluster.docker("exec", cluster.container("ray-worker"), *inside)) == [["ray-head", 6379]]


def test_no_secret_shows(cluster: Cluster, swept: str) -> None:
    seen = {
        "log of the job": swept,
        "logs of the containers": cluster.compose("logs", "--no-color"),
        "images": cluster.docker("history", "--no-trunc", f"{PROJECT}:cpu")
        + cluster.docker("image", "inspect", f"{PROJECT}:cpu", f"{PROJECT}-mlflow"),
    }
    for service in ("postgres", "mlflow", "ray-head", "ray-worker"):
        seen[f"processes of {service}"] = cluster.docker("top", cluster.container(service), "-eo", "pid,args")
    files = ["sh", "-c", "cat /tmp/ray/session_latest/logs/* 2>/dev/null; find /sweeps -name '*.json' -exec cat {} +"]
    seen["logs of Ray, records"] = cluster.docker("exec", cluster.container("ray-head"), *files)
    for kind in ("sweep", "teacher", "cell"):
        seen[f"runs: {kind}"] = json.dumps(cluster.runs(ALL, kind))
    headers = {"Authorization": f"Bearer {cluster.secrets['RAY_AUTH_TOKEN']}"}
    seen["list of jobs"] = json.dumps(fetch(urllib.request.Request(f"{cluster.ray}/api/jobs/", headers=headers))[1])
    shown = [(name, where) for name, value in cluster.secrets.items() for where, text in seen.items() if value in text]
    assert shown == []
    assert all(len(text) > 20 for text in seen.values()), {where: len(text) for where, text in seen.items()}


def test_secrets_are_the_owners_alone(cluster: Cluster) -> None:
    file = cluster.folder / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(set(cluster.secrets.values())) == len(cluster.secrets)
    assert min(map(len, cluster.secrets.values())) >= 32


def test_nobody_is_root(cluster: Cluster) -> None:
    for service in ("mlflow", "ray-head", "ray-worker"):
        assert cluster.docker("exec", cluster.container(service), "id", "-u").strip() == "1000"
