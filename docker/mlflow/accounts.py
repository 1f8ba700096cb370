"""The accounts of the tracking server are those of its environment: made where missing, changed where they differ.

Runs before the server starts, on the server's own store of accounts, so that a password is rotated by changing it
in the environment and starting the server again. With workspaces enabled an account can do what it is granted, and
nothing more:

- the administrator: everything; for people
- the driver of a sweep: makes experiments and registered models, and manages those that it has made
- trials: edit experiments and their runs; make, delete and restore none, see no users and no models
"""

from __future__ import annotations

import os

from mlflow.server.auth.config import read_auth_config
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

GRANTS = {
    "DRIVER": [("workspace", "*", "USE")],
    "TRIALS": [("experiment", "*", "EDIT"), ("run", "*", "MANAGE")],
}


def settle(store: SqlAlchemyStore, name: str, password: str, *, is_admin: bool = False) -> None:
    """Makes the account, or gives it this password."""
    if not store.has_user(name):
        store.create_user(name, password, is_admin=is_admin)
    elif not store.authenticate_user(name, password):
        store.update_user(name, password=password)


def grant(store: SqlAlchemyStore, account: str, grants: list[tuple[str, str, str]]) -> None:
    """Leaves the account with the role of its name, which has these grants alone."""
    user = store.get_user(account)
    roles = {role.name: role for role in store.list_roles([DEFAULT_WORKSPACE_NAME])}
    role = roles.get(account) or store.create_role(account, DEFAULT_WORKSPACE_NAME)
    for old in store.list_role_permissions(role.id):
        store.remove_role_permission(old.id)
    for resource, pattern, permission in grants:
        store.add_role_permission(role.id, resource, pattern, permission)
    if role.id not in {each.id for each in store.list_user_roles(user.id)}:
        store.assign_role_to_user(user.id, role.id)


def main() -> None:
    store = SqlAlchemyStore()
    store.init_db(read_auth_config().database_uri)
    settle(store, os.environ["MLFLOW_AUTH_ADMIN_USERNAME"], os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"], is_admin=True)
    for role, grants in GRANTS.items():
        account = os.environ[f"{role}_USERNAME"]
        settle(store, account, os.environ[f"{role}_PASSWORD"])
        grant(store, account, grants)


if __name__ == "__main__":
    main()
