"""What a sweep asks of a cluster's autoscaler: nodes for the trials that wait for room."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import ray
from ray.autoscaler.sdk import request_resources

from sweep.spec.sweep import Resources

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 180.0
"""How long an autoscaler may take to add a node before it is asked for fewer."""
MOST = 1000
"""Trials that are asked for at once: an autoscaler fits each into a node at every look."""


class Demand:
    """Asks for room for trials beside those that there is room for; a cluster without an autoscaler ignores it.

    Ray's second autoscaler adds no node at all where the whole of a request does not fit into the cluster's limits
    (ray/autoscaler/v2/scheduler.py, `_enforce_resource_constraints`), and does not tell what these are. So where no
    node comes, half as many more are asked for, down to one.
    """

    def __init__(self, resources: Resources, clock: Callable[[], float] = time.monotonic) -> None:
        needed = {"CPU": float(resources.cpus), "GPU": float(resources.gpus)}
        self._bundle = {kind: amount for kind, amount in needed.items() if amount}
        self._clock = clock
        self._room = -1
        self._since = clock()
        self._most_beside = MOST
        self._asked = 0

    def ask(self, num_trials: int, room: int) -> None:
        """Says how many trials could run at once by now, were there room; there is `room` for so many."""
        now = self._clock()
        if room != self._room or num_trials <= room:
            self._room, self._since = room, now
        elif now - self._since > PATIENCE_SECONDS:
            self._most_beside = max(1, min(self._most_beside, num_trials - room) // 2)
            self._since = now
        self._request(min(num_trials, room + self._most_beside, MOST))

    def withdraw(self) -> None:
        """Asks for nothing more, if there is still a cluster to be asked."""
        if ray.is_initialized():
            self._request(0)

    def _request(self, num_trials: int) -> None:
        if num_trials == self._asked:
            return
        self._asked = num_trials
        logger.info("the cluster is asked for room for %d trials", num_trials)
        request_resources(bundles=[self._bundle] * num_trials)
