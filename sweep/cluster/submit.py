"""`make submit`: a sweep as a job of a Ray cluster, followed to its end.

    python -m sweep.cluster.submit [CONFIG.yaml] [key.path=value …] [--address URL] [--shared] [flags of sweep/run.py]

The working directory goes with the job. Exit status: the driver's own (0, 1, 2), 130 where the job was stopped or the
client interrupted, 2 where nothing was submitted. The token is RAY_AUTH_TOKEN's, or that of `.env` here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from sweep.cluster import upload
from sweep.records import environment
from sweep.spec import command
from sweep.spec.passwords import hidden
from sweep.spec.sweep import load
from trainables.errors import InputError, Problem

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

WRONG_CALL = 2
INTERRUPTED = 130
SETTINGS = Path(".env")
"""The cluster's own settings, which `make cluster` leaves beside the compose file."""
PATIENCE_SECONDS = 120.0
"""How long a cluster may not answer while a job is followed: a head that is restarted takes some 30 s."""


@dataclass(frozen=True)
class Submission:
    """What is to be submitted."""

    sweep: str
    entrypoint: str
    root: Path

    def runtime_env(self) -> dict[str, Any]:
        """Anyone who may list jobs reads it: no secret belongs here."""
        told = {
            environment.COMMIT_VARIABLE: environment.git_commit(),
            environment.DIRTY_VARIABLE: str(environment.git_dirty()).lower(),
            "COLUMNS": "120",
        }
        return {"working_dir": str(self.root), "env_vars": told}


def prepare(arguments: Sequence[str], root: Path, *, shared: bool = False) -> Submission:
    """The submission of a command's arguments. Raises InputError with all that this machine can know to be wrong."""
    asked = command.parse(arguments)
    config = load(asked.config, asked.overrides)
    found = [] if shared else upload.problems(asked.config, asked.overrides, root)
    if asked.address:
        found.append(Problem("--address", "got the address twice; the dashboard's, once"))
    if found:
        raise InputError(found)
    words = [_inside(word, root) if asked.config and word == str(asked.config) else word for word in arguments]
    program = ["sweep/run.py"] if (root / "sweep" / "run.py").exists() else ["-m", "sweep.run"]
    return Submission(config.name, shlex.join(["python", *program, *words]), root)


def _inside(word: str, root: Path) -> str:
    return str(Path(word).resolve().relative_to(root.resolve()))


def start(client: JobSubmissionClient, submission: Submission) -> str:
    """The id of the sweep's job that runs already, or of a new one. Raises InputError where another command runs."""
    attempts = re.compile(re.escape(submission.sweep) + r"-(\d+)")
    known = {job.submission_id: job for job in client.list_jobs() if job.submission_id}
    numbers = {name: int(match[1]) for name in known if (match := attempts.fullmatch(name))}
    for name in numbers:
        if known[name].status.is_terminal():
            continue
        if known[name].entrypoint != submission.entrypoint:
            right = f"wait for it, or end it: ray job stop {name}"
            raise InputError([Problem("name", f"got {submission.sweep!r}, which runs with other arguments; {right}")])
        print(f"{name} is still running: following it. What has changed since goes with the next submission.")
        return name
    number = 1 + max(numbers.values(), default=0)
    return client.submit_job(
        entrypoint=submission.entrypoint,
        submission_id=f"{submission.sweep}-{number}",
        runtime_env=submission.runtime_env(),
        metadata={"sweep": submission.sweep},
    )


def follow(client: JobSubmissionClient, job: str) -> int:
    """Prints the job's log to its end, through lost connections; returns the exit status of its driver."""
    from aiohttp import ClientError

    log = Log(client, job)
    answered = time.monotonic()
    while True:
        try:
            asyncio.run(log.tail())
            status = exit_status(client.get_job_info(job))
            answered = time.monotonic()
            if status is not None:
                log.rest()
                return status
        except (RuntimeError, OSError, ClientError) as error:
            # The client raises plain RuntimeError for what the server answers, requests' OSErrors and aiohttp's errors.
            if "404" in str(error):
                print(f"The cluster no longer knows {job}: its head was restarted. Submit again to go on.")
                return 1
            if time.monotonic() - answered > PATIENCE_SECONDS:
                print(f"No answer for {PATIENCE_SECONDS:.0f} s ({error}). Submit again to follow the job or to go on.")
                return 1
        time.sleep(1)


@dataclass
class Log:
    """A job's log, of which each character is printed once."""

    client: JobSubmissionClient
    job: str
    num_shown: int = 0

    async def tail(self) -> None:
        """Prints what is new until the job ends or the connection does."""
        position = 0
        async for text in self.client.tail_job_logs(self.job):
            position += len(text)
            self._show(text[-(position - self.num_shown) :] if position > self.num_shown else "")

    def rest(self) -> None:
        """Prints what a closed connection left out."""
        self._show(self.client.get_job_logs(self.job)[self.num_shown :])

    def _show(self, text: str) -> None:
        self.num_shown += len(text)
        print(text, end="", flush=True)


def exit_status(job: Any) -> int | None:
    """Of the driver of a job, as the cluster describes it; None while it has not ended."""
    if not job.status.is_terminal():
        return None
    if job.status == "SUCCEEDED":
        return 0
    if job.status == "STOPPED":
        return INTERRUPTED
    code = job.driver_exit_code
    if code is None:  # it never started: the cluster says why
        print(job.message)
        return 1
    return code if 0 < code < 256 else 1


def connect(address: str) -> JobSubmissionClient:
    """The cluster whose dashboard is there. Raises InputError where it does not answer, or refuses the token."""
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        reason = str(error).splitlines()[0]
        raise InputError([Problem("RAY_AUTH_TOKEN", f"{hidden(address)} refuses it ({reason})")]) from None
    except (ConnectionError, OSError):
        right = "no answer; is the cluster up (`make cluster`)?"
        raise InputError([Problem("--address", f"got {hidden(address)}; {right}")]) from None


def use_token() -> None:
    """The token of the cluster beside this, where no other is set; before Ray is loaded, which reads it then."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ) and (
        token := dotenv_values(SETTINGS).get("RAY_AUTH_TOKEN")
    ):
        os.environ["RAY_AUTH_TOKEN"] = token


def parser() -> argparse.ArgumentParser:
    """The flags that this command has beside those of `run.py`, with their help."""
    program = "python -m sweep.cluster.submit"
    flags = argparse.ArgumentParser(
        program,
        usage=f"{program} [CONFIG.yaml] [key.path=value ...] [--address URL] [--shared] [flags of sweep/run.py]",
        description="Sends a sweep to a Ray cluster as a job and follows it to its end. Other words go to the sweep.",
        allow_abbrev=False,
    )
    flags.add_argument(
        "--address", metavar="URL", help="of the dashboard; none: RAY_API_SERVER_ADDRESS, else this machine's"
    )
    flags.add_argument("--shared", action="store_true", help="absolute paths in the config are those of the nodes")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: that of the sweep, 2 where nothing was submitted, 130 where it was interrupted."""
    own, rest = parser().parse_known_args(arguments)
    port = os.environ.get("RAY_PORT") or dotenv_values(SETTINGS).get("RAY_PORT") or "8265"
    address = own.address or os.environ.get("RAY_API_SERVER_ADDRESS") or f"http://127.0.0.1:{port}"
    use_token()
    try:
        submission = prepare(rest, Path.cwd(), shared=own.shared)
        client = connect(address)
        job = start(client, submission)
    except InputError as error:
        print("\n".join(map(str, error.problems)), file=sys.stderr)
        return WRONG_CALL
    except (RuntimeError, ValueError) as error:  # the job server's own words, such as that the upload is too large
        print(f"not submitted: {str(error).splitlines()[0]}", file=sys.stderr)
        return WRONG_CALL
    print(f"{job}: {submission.entrypoint}", flush=True)
    try:
        return follow(client, job)
    except KeyboardInterrupt:
        print(f"\nThe job goes on. The same command follows it again; `ray job stop {job}` ends it.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
