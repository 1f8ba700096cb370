"""`make submit`: submits a sweep to a Ray cluster as a job and follows the job to its end.

    python -m sweep.cluster.submit [CONFIG.yaml] [key.path=value …] [--address URL] [--shared] [flags of sweep/run.py]

The working directory is uploaded with the job. The exit status is that of the driver (0, 1 or 2), 130 if the job was
stopped or the client interrupted, and 2 if nothing was submitted. The token comes from RAY_AUTH_TOKEN or from `.env`.
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
from sweep.spec.passwords import without_passwords
from sweep.spec.sweep import load
from trainables.errors import InputError, Problem

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

WRONG_CALL = 2
INTERRUPTED = 130
SETTINGS = Path(".env")
"""The settings of the cluster, which `make cluster` writes beside the compose file."""
PATIENCE_SECONDS = 120.0
"""How long a cluster may be silent while a job is followed. Restarting a head takes about 30 s."""


@dataclass(frozen=True)
class Submission:
    """A sweep, the command that runs it and the working directory to upload."""

    sweep: str
    entrypoint: str
    root: Path

    def runtime_env(self) -> dict[str, Any]:
        """The job's runtime environment. It holds no secret, because anyone who may list jobs can read it."""
        variables = {
            environment.COMMIT_VARIABLE: environment.git_commit(),
            environment.DIRTY_VARIABLE: str(environment.git_dirty()).lower(),
            "COLUMNS": "120",
        }
        return {"working_dir": str(self.root), "env_vars": variables}


def prepare(arguments: Sequence[str], root: Path, *, shared: bool = False) -> Submission:
    """The submission of a command's arguments. Raises InputError with every problem that this machine can detect."""
    options = command.parse(arguments)
    config = load(options.config, options.overrides)
    problems = [] if shared else upload.problems(options.config, options.overrides, root)
    if options.address:
        problems.append(Problem("--address", "got two addresses; give the dashboard's alone"))
    if problems:
        raise InputError(problems)
    words = [_relative(word, root) if options.config and word == str(options.config) else word for word in arguments]
    program = ["sweep/run.py"] if (root / "sweep" / "run.py").exists() else ["-m", "sweep.run"]
    return Submission(config.name, shlex.join(["python", *program, *words]), root)


def _relative(word: str, root: Path) -> str:
    return str(Path(word).resolve().relative_to(root.resolve()))


def start(client: JobSubmissionClient, submission: Submission) -> str:
    """The id of the sweep's running job, or else of a new one. Raises InputError if the running job differs."""
    attempts = re.compile(re.escape(submission.sweep) + r"-(\d+)")
    jobs = {job.submission_id: job for job in client.list_jobs() if job.submission_id}
    numbers = {name: int(match[1]) for name in jobs if (match := attempts.fullmatch(name))}
    for name in numbers:
        if jobs[name].status.is_terminal():
            continue
        if jobs[name].entrypoint != submission.entrypoint:
            right = f"wait for it, or stop it: ray job stop {name}"
            raise InputError(
                [Problem("name", f"got {submission.sweep!r}, which is running with other arguments; {right}")]
            )
        print(f"{name} is still running and is followed. Changes since its start go with the next submission.")
        return name
    number = 1 + max(numbers.values(), default=0)
    return client.submit_job(
        entrypoint=submission.entrypoint,
        submission_id=f"{submission.sweep}-{number}",
        runtime_env=submission.runtime_env(),
        metadata={"sweep": submission.sweep},
    )


def follow(client: JobSubmissionClient, job: str) -> int:
    """Prints the job's log to its end and reconnects when the connection is lost; returns the driver's exit status."""
    from aiohttp import ClientError

    log = Log(client, job)
    last_answer = time.monotonic()
    while True:
        try:
            asyncio.run(log.tail())
            status = exit_status(client.get_job_info(job))
            last_answer = time.monotonic()
            if status is not None:
                log.rest()
                return status
        except (RuntimeError, OSError, ClientError) as error:
            # The client raises plain RuntimeError for error responses, OSErrors of requests, and errors of aiohttp.
            if "404" in str(error):
                print(f"The cluster no longer knows {job}, because its head was restarted. Submit again to continue.")
                return 1
            if time.monotonic() - last_answer > PATIENCE_SECONDS:
                print(f"No answer has come for {PATIENCE_SECONDS:.0f} s ({error}). Submit again to follow the job.")
                return 1
        time.sleep(1)


@dataclass
class Log:
    """The log of a job; prints each character once."""

    client: JobSubmissionClient
    job: str
    num_shown: int = 0

    async def tail(self) -> None:
        """Prints new text until the job ends or the connection is lost."""
        position = 0
        async for text in self.client.tail_job_logs(self.job):
            position += len(text)
            self._show(text[-(position - self.num_shown) :] if position > self.num_shown else "")

    def rest(self) -> None:
        """Prints the text that a lost connection left out."""
        self._show(self.client.get_job_logs(self.job)[self.num_shown :])

    def _show(self, text: str) -> None:
        self.num_shown += len(text)
        print(text, end="", flush=True)


def exit_status(job: Any) -> int | None:
    """The exit status of a job's driver; None until the job has ended."""
    if not job.status.is_terminal():
        return None
    if job.status == "SUCCEEDED":
        return 0
    if job.status == "STOPPED":
        return INTERRUPTED
    code = job.driver_exit_code
    if code is None:  # the driver never started, and the message says why
        print(job.message)
        return 1
    return code if 0 < code < 256 else 1


def connect(address: str) -> JobSubmissionClient:
    """A client of the dashboard's cluster. Raises InputError if the dashboard does not answer or refuses the token."""
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            [Problem("RAY_AUTH_TOKEN", f"{without_passwords(address)} refuses the token ({reason})")]
        ) from None
    except (ConnectionError, OSError):
        right = "nothing answers there; start the cluster with `make cluster`"
        raise InputError([Problem("--address", f"got {without_passwords(address)}; {right}")]) from None


def use_token() -> None:
    """Sets the local cluster's token unless another is set. Ray reads it when it is imported, so this comes first."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ) and (
        token := dotenv_values(SETTINGS).get("RAY_AUTH_TOKEN")
    ):
        os.environ["RAY_AUTH_TOKEN"] = token


def parser() -> argparse.ArgumentParser:
    """The parser of the flags that this command adds to those of `run.py`."""
    program = "python -m sweep.cluster.submit"
    flags = argparse.ArgumentParser(
        program,
        usage=f"{program} [CONFIG.yaml] [key.path=value ...] [--address URL] [--shared] [flags of sweep/run.py]",
        description="Sends a sweep to a Ray cluster as a job and follows it to its end. Other words are for the sweep.",
        allow_abbrev=False,
    )
    flags.add_argument(
        "--address", metavar="URL", help="the dashboard; default: RAY_API_SERVER_ADDRESS, else this machine's"
    )
    flags.add_argument("--shared", action="store_true", help="the nodes have the absolute paths of the config")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. The exit status is the sweep's, 2 if nothing was submitted, 130 if interrupted."""
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
    except (RuntimeError, ValueError) as error:  # the job server refuses, for example because the upload is too large
        print(f"The sweep was not submitted: {str(error).splitlines()[0]}", file=sys.stderr)
        return WRONG_CALL
    print(f"{job}: {submission.entrypoint}", flush=True)
    try:
        return follow(client, job)
    except KeyboardInterrupt:
        print(f"\nThe job is still running. The same command follows it again; `ray job stop {job}` stops it.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
