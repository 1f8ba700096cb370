"""MLflow and Ray's dashboard as a person opens them, in Chromium; the pictures stay in build/cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from sweep.tracking import views
from sweep.tracking.tags import DESCRIPTION
from tests.browser.ui_screenshots import browser, shoot
from tests.cluster.compose import ROOT, Cluster, tags_of
from tests.cluster.conftest import ALL
from tests.sweep.tiny import TASK_OF

PICTURES = ROOT / "build" / "cluster"
SECONDS = 600


@pytest.fixture
def page(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser that is signed in to nothing."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    driver = browser(str(tmp_path))
    yield driver
    driver.quit()


@pytest.fixture
def signed_in(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser that gives MLflow the administrator's name and password."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", cluster.secrets["MLFLOW_ADMIN_PASSWORD"])
    PICTURES.mkdir(parents=True, exist_ok=True)
    driver = browser(str(tmp_path))
    yield driver
    driver.quit()


def wait_for(page: webdriver.Chrome, *texts: str) -> None:
    """Until all of these are in the page's text."""

    def shown(driver: webdriver.Chrome) -> bool:
        text: str = driver.execute_script("return document.body?.innerText ?? ''")
        return all(each in text for each in texts)

    WebDriverWait(page, SECONDS).until(shown, f"not all of {texts} came up")


def test_the_cells_are_compared_in_mlflow(cluster: Cluster, swept: str, signed_in: webdriver.Chrome) -> None:
    experiment = cluster.experiment_id(ALL)
    for view in views.VIEWS:
        shoot(signed_in, views.link(cluster.pages, experiment, view), PICTURES / f"mlflow-{view}.png")
    compared = (PICTURES / "mlflow-parallel.txt").read_text()
    assert all(f"tiny-{family}" in compared for family in TASK_OF), compared


def test_the_report_is_shown_in_mlflow_and_leads_to_the_runs(
    cluster: Cluster, swept: str, signed_in: webdriver.Chrome
) -> None:
    run = cluster.runs(ALL, "sweep")[0]["info"]
    report = f"experiments/{run['experiment_id']}/runs/{run['run_id']}/artifacts/report.html"
    signed_in.get(views.page(cluster.pages, report))
    frame = WebDriverWait(signed_in, SECONDS).until(lambda driver: driver.find_element(By.TAG_NAME, "iframe"))
    signed_in.switch_to.frame(frame)
    wait_for(signed_in, "tiny-bert", "tiny-qwen3")
    links = [each.get_attribute("href") or "" for each in signed_in.find_elements(By.CSS_SELECTOR, "a[href*='/runs/']")]
    signed_in.switch_to.default_content()
    signed_in.save_screenshot(str(PICTURES / "mlflow-report.png"))
    cell = cluster.runs(ALL, "cell")[0]
    signed_in.get(next(link for link in links if cell["info"]["run_id"] in link))
    wait_for(signed_in, tags_of(cell)["mlflow.runName"], tags_of(cell)[DESCRIPTION])
    signed_in.save_screenshot(str(PICTURES / "mlflow-cell.png"))


def test_rays_dashboard_opens_with_the_token(cluster: Cluster, swept: str, page: webdriver.Chrome) -> None:
    page.get(f"{cluster.ray}/#/jobs")
    wait_for(page, "Token authentication is enabled")
    page.save_screenshot(str(PICTURES / "ray-locked.png"))
    for token, expected in (
        ("0" * 64, "Invalid authentication token"),
        (cluster.secrets["RAY_AUTH_TOKEN"], f"{ALL}-1"),
    ):
        field = page.find_element(By.CSS_SELECTOR, "[role=dialog] input")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(token, Keys.ENTER)
        wait_for(page, expected)
    page.save_screenshot(str(PICTURES / "ray-jobs.png"))
    page.get(f"{cluster.ray}/#/cluster")
    wait_for(page, *(cluster.container("ray-worker", number)[:12] for number in (1, 2)))
    page.save_screenshot(str(PICTURES / "ray-cluster.png"))
