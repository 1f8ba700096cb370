"""No password of an address is shown or stored."""

from __future__ import annotations

import pytest

from sweep.spec.passwords import without_login, without_passwords, without_passwords_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("postgresql+psycopg2://me:secret@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("http://me:se/cr@et@host", "http://me:***@host"),
        ("http://:secret@host", "http://:***@host"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("tracking_uri=http://me:secret@host base.seed=1", "tracking_uri=http://me:***@host base.seed=1"),
        ("no answer from http://me:secret@host/api: refused", "no answer from http://me:***@host/api: refused"),
        ("http://me@host:5000", "http://me@host:5000"),
        ("http://host:5000/#/experiments/1", "http://host:5000/#/experiments/1"),
        ("sqlite:////runs/a@b/mlflow.db", "sqlite:////runs/a@b/mlflow.db"),
        ("me@example.org: one:two", "me@example.org: one:two"),
    ],
)
def test_hidden(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
    assert without_passwords(shown) == shown


def test_hidden_in_every_text_of_plain_values() -> None:
    given = {"a": [{"b": "http://me:secret@h"}, 1, None], "c": ("x://u:secret@h",), "d": "plain"}
    assert without_passwords_in(given) == {"a": [{"b": "http://me:***@h"}, 1, None], "c": ["x://u:***@h"], "d": "plain"}


def test_without_login() -> None:
    assert without_login("http://me:secret@host:5000/x?y#z") == "http://host:5000/x?y#z"
    assert without_login("http://host:5000/") == "http://host:5000/"
