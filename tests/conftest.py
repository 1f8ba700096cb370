"""How the tests are shared out between the processes of `pytest -n`."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share one process, and so do all that read the one sweep, whose files come first."""
    for item in items:
        group = "swept" if "swept" in getattr(item, "fixturenames", ()) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: next(item.iter_markers("xdist_group")).args[0] != "swept")
