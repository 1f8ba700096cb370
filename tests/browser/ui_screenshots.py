"""Pictures of a sweep in MLflow's own UI: its cells in parallel coordinates, and grouped by strategy and init.

    PYTHONPATH=. python tests/browser/ui_screenshots.py http://127.0.0.1:5000 EXPERIMENT FOLDER

A server with accounts is signed in to with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.

Needs selenium (in any environment), Chromium and its driver, and the UI that `make ui` starts. Writes
`<view>.png`, and `<view>.txt` with all text of the page.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from sweep.tracking import views

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
)
NO_ASSISTANT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
DRAWN = ".ag-row, .parcoords"
FULL_SCREEN = "[data-component-id=fullscreen_button_chartcard]"
SETTLE_SECONDS = 6


def signed_in() -> dict[str, str]:
    """The header that signs in; none where the server has no accounts."""
    name, password = (os.environ.get(f"MLFLOW_TRACKING_{what}") for what in ("USERNAME", "PASSWORD"))
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()} if name else {}


def call(server: str, path: str) -> dict[str, Any]:
    """The answer of MLflow's REST API to a GET."""
    request = urllib.request.Request(f"{server}/api/2.0/mlflow/{path}", headers=signed_in())
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def browser(profile: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": signed_in()})
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NO_ASSISTANT})
    return driver


def shoot(driver: webdriver.Chrome, address: str, file: Path) -> None:
    """One view as a picture; a chart at full screen."""
    driver.get("about:blank")  # the UI reads a shared view only when it starts
    driver.get(address)
    WebDriverWait(driver, 600).until(lambda page: page.find_elements(By.CSS_SELECTOR, DRAWN))
    time.sleep(SETTLE_SECONDS)
    file.with_suffix(".txt").write_text(driver.find_element(By.TAG_NAME, "body").text)
    for button in driver.find_elements(By.CSS_SELECTOR, FULL_SCREEN)[:1]:
        button.click()
        time.sleep(SETTLE_SECONDS)
    driver.save_screenshot(str(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="the UI's address")
    parser.add_argument("experiment", help="the sweep's name")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    found = call(args.server, f"experiments/get-by-name?experiment_name={urllib.parse.quote(args.experiment)}")
    experiment_id = found["experiment"]["experiment_id"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        driver = browser(profile)
        try:
            for view in views.VIEWS:
                shoot(driver, views.link(args.server, experiment_id, view), args.folder / f"{view}.png")
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
