"""The sub-commands `check` and `secrets`; none of their options takes a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.grammar.parts import (
    FILES,
    Commands,
    add_command,
    add_notebook,
    add_profile,
    add_settings,
    complete,
)

if TYPE_CHECKING:
    import argparse


def add_check(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `check`."""
    about = "Check every secret, permission and Azure resource that a launch needs; each fault comes with its cure."
    check = add_command(commands, "check", about)
    check.add_argument("-v", "--verbose", action="store_true", help="say what each check has looked at")
    _add_sources(check)


def add_secrets(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `secrets` and its actions."""
    about = "Make, renew and show the Secrets that a launch needs; values come from a prompt, environment or file."
    secrets = commands.add_parser("secrets", help=about, description=about, allow_abbrev=False)
    actions = secrets.add_subparsers(dest="action", metavar="ACTION", required=True)
    about = "Make the Secrets and name the registry's in the service account; neither --azure nor --acr means both."
    create = add_command(actions, "create", about)
    create.add_argument("--azure", action="store_true", help="the Secret with the service principal")
    create.add_argument("--acr", action="store_true", help="the Secret with the registry's login")
    _add_values(create)
    about = "delete a Secret of the wrong type, or one that is immutable, and make it anew"
    create.add_argument("--replace", action="store_true", help=about)
    _add_sources(create)
    rotate = add_command(actions, "rotate", "Put a new client secret into the Secrets that are there.")
    _add_values(rotate)
    _add_sources(rotate)
    about = "Name the registry's Secret in the service account; what else it names stays."
    attach = add_command(actions, "attach", about)
    _add_dry_run(attach)
    _add_sources(attach)
    _add_sources(add_command(actions, "show", "Show what there is, without any value."))


def _add_values(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group()
    about = "take the values from AZ_CLIENT_ID, AZ_CLIENT_SECRET, AZ_TENANT_ID and AZ_SUBSCRIPTION_ID"
    source.add_argument("--from-env", action="store_true", help=about)
    about = "take the values from this file; - is standard input"
    complete(source.add_argument("--from-file", metavar="FILE", help=about), FILES)
    command.add_argument("--expires", metavar="YYYY-MM-DD", help="the day on which the client secret expires")
    _add_dry_run(command)
    about = "write a client secret also if Microsoft Entra ID can't be asked whether it is good"
    command.add_argument("--unverified", action="store_true", help=about)


def _add_dry_run(command: argparse.ArgumentParser) -> None:
    about = "let the cluster check everything, and change nothing"
    command.add_argument("-n", "--dry-run", action="store_true", help=about)


def _add_sources(command: argparse.ArgumentParser) -> None:
    add_notebook(command, "a notebook whose parameters cell counts", nargs="?")
    add_profile(command)
    add_settings(command)
