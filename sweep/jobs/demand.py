"""Asks the autoscaler of a cluster for nodes, for the trials that wait for room."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import ray
from ray.autoscaler.sdk import request_resources

from sweep.spec.sweep import Resources

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 180.0
"""How long an autoscaler may take to add a node before the sweep asks for fewer."""
MOST = 1000
"""The most trials to ask room for: on each round an autoscaler fits every one of them into a node."""


class Demand:
    """Asks for room for more trials than fit now. A cluster without an autoscaler ignores this.

    Ray's autoscaler v2 adds no node at all if a request as a whole exceeds the limits of the cluster
    (ray/autoscaler/v2/scheduler.py, `_enforce_resource_constraints`), and does not report these limits. So if no node
    is added in time, the sweep asks for room for half as many additional trials, down to one.
    """

    def __init__(self, resources: Resources, clock: Callable[[], float] = time.monotonic) -> None:
        amounts = {"CPU": float(resources.cpus), "GPU": float(resources.gpus)}
        self._bundle = {kind: amount for kind, amount in amounts.items() if amount}
        self._clock = clock
        self._room = -1
        self._since = clock()
        self._most_beside = MOST
        self._asked = 0

    def ask(self, num_trials: int, room: int) -> None:
        """Requests room for the `num_trials` that are running or ready; the cluster has room for `room` trials."""
        now = self._clock()
        if room != self._room or num_trials <= room:
            self._room, self._since = room, now
        elif now - self._since > PATIENCE_SECONDS:
            self._most_beside = max(1, min(self._most_beside, num_trials - room) // 2)
            self._since = now
        self._request(min(num_trials, room + self._most_beside, MOST))

    def withdraw(self) -> None:
        """Withdraws the request, if this process is still connected to a cluster."""
        if ray.is_initialized():
            self._request(0)

    def _request(self, num_trials: int) -> None:
        if num_trials == self._asked:
            return
        self._asked = num_trials
        logger.info("the cluster is asked for room for %d trials", num_trials)
        request_resources(bundles=[self._bundle] * num_trials)
