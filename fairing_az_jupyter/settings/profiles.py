"""Profiles: named sets of settings, kept as TOML files under Jupyter's folder for settings.

FOLDER/profiles/NAME.toml   one setting a line, by field; "" is None
FOLDER/active-profile       the name of the profile in use
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ProfileError
from fairing_az_jupyter.settings import profile_files
from fairing_az_jupyter.settings.declaration import Settings, may_be_empty
from fairing_az_jupyter.settings.errors import InvalidSettingsError
from fairing_az_jupyter.settings.values import check_values, field_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER_VARIABLE = "FAIRING_AZURE_CONFIG_DIR"
PROFILE_VARIABLE = "FAIRING_AZURE_PROFILE"

# The first character keeps names from being hidden files, `..`, or options on a command line.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the profiles: FAIRING_AZURE_CONFIG_DIR, or one under Jupyter's folder for settings.

    Args:
        environ: Environment variables.

    Returns:
        The folder, which need not be there.

    """
    named = environ.get(FOLDER_VARIABLE, "")
    if named:
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - leaves an unknown user's ~name alone
    from jupyter_core.paths import jupyter_config_dir  # noqa: PLC0415 - costs more than the rest of this module

    return Path(jupyter_config_dir()).absolute() / "fairing-az-jupyter"


class ProfileStore:
    """The profiles of one folder, safe for several processes at once.

    Args:
        folder: The folder; None is `default_folder()`.
        model: The settings' model.

    """

    def __init__(self, folder: Path | str | None = None, *, model: type[Settings] = Settings) -> None:
        self.folder = default_folder() if folder is None else Path(folder)
        self.model = model

    def list(self) -> tuple[str, ...]:
        """Return the names of all profiles, sorted.

        Raises:
            ProfileError: The folder can't be read.

        """
        folder = self.folder / "profiles"
        with profile_files.profile_errors("read", folder):
            files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        return tuple(sorted(path.stem for path in files if path.suffix == ".toml" and _NAME.fullmatch(path.stem)))

    def path(self, name: str) -> Path:
        """Return the file of a profile, which need not be there.

        Args:
            name: 1 to 64 letters, digits and . _ - beginning with a letter, digit or _.

        Raises:
            ProfileError: It is not a name.

        """
        if not _NAME.fullmatch(name):
            raise ProfileError(
                f"{name[:80]!r} can't be a profile's name.",
                hint="Use 1 to 64 letters, digits and . _ - with a letter or digit first, such as team-a.",
                code="profile-name",
            )
        return self.folder / "profiles" / f"{name}.toml"

    def read(self, name: str) -> dict[str, Any]:
        """Return a profile's values.

        Args:
            name: The profile.

        Returns:
            The values that it has, by field, checked.

        Raises:
            ProfileError: It is not there, is not valid TOML, or has values or names that are not settings.

        """
        path = self._existing(name)
        text = profile_files.load(path)
        try:
            return check_values(profile_files.parse(text, path).unwrap(), self.model)
        except InvalidSettingsError as invalid:
            profile_errors = [_in_file(error, text) for error in invalid.errors]
        message = " ".join(message for message, _ in profile_errors)
        hint = " ".join(dict.fromkeys(hint for _, hint in profile_errors))
        raise ProfileError(f"Profile {name!r} can't be used ({path}). {message}", hint=hint)

    def save(self, name: str, values: Mapping[str, Any]) -> None:
        """Make a profile have these values and no others; comments of an existing one stay.

        Args:
            name: The profile; it is made if it is not there.
            values: The values by field; None is kept as such where a setting may be empty, elsewhere left out.

        Raises:
            InvalidSettingsError: Values break their rules; nothing is written.
            ProfileError: The name is not a name, or the file can't be read or written.

        """
        path = self.path(name)
        checked = self._checked(values)
        with profile_files.alone(self.folder):
            self._reject_same_name_in_other_case(name)
            text = profile_files.load(path) if name in self.list() else ""
            others = [each for each in profile_files.parse(text, path) if each not in checked]
            profile_files.write(path, profile_files.edit(text, checked, others, path))

    def set_values(self, name: str, values: Mapping[str, Any]) -> None:
        """Change some values of a profile; its other lines stay as they are.

        Args:
            name: The profile, which must be there.
            values: The values by field; None empties a setting that may be empty, and takes out any other.

        Raises:
            InvalidSettingsError: Values break their rules; nothing is written.
            ProfileError: The profile does not exist, or its file can't be read or written.

        """
        checked = self._checked(values)
        self._edit(name, checked, [field for field in values if field not in checked])

    def unset_values(self, name: str, fields: Iterable[str]) -> None:
        """Take settings out of a profile, so that other sources or the defaults count again.

        Args:
            name: The profile, which must be there.
            fields: The settings; those that it does not have are passed over.

        Raises:
            InvalidSettingsError: A field is not a setting.
            ProfileError: The profile does not exist, or its file can't be read or written.

        """
        self._edit(name, {}, [field_for(field, self.model) for field in fields])

    def remove(self, name: str) -> None:
        """Delete a profile; if it was the active one, none is active.

        Args:
            name: The profile.

        Raises:
            ProfileError: The profile does not exist, or it can't be deleted.

        """
        self._existing(name)
        with profile_files.alone(self.folder):
            path = self._existing(name)
            if self._active_in_file() == name:
                self._write_active(None)
            with profile_files.profile_errors("delete", path):
                path.unlink()

    def rename(self, name: str, new_name: str) -> None:
        """Give a profile another name; if it was the active one, it stays so.

        Args:
            name: The profile.
            new_name: A name that no profile has.

        Raises:
            ProfileError: The profile does not exist, or the new name is taken or no name.

        """
        self._existing(name)
        new_path = self.path(new_name)
        with profile_files.alone(self.folder):
            path = self._existing(name)
            taken = [each for each in self.list() if each != name and each.lower() == new_name.lower()]
            if taken:
                message = f"Profile {name!r} can't be renamed to {new_name!r}: profile {taken[0]!r} already exists."
                raise ProfileError(message, hint="Choose another name, or remove that profile first.")
            with profile_files.profile_errors("rename", path):
                path.rename(new_path)
            if self._active_in_file() == name:
                self._write_active(new_name)

    def activate(self, name: str | None) -> None:
        """Make a profile the one in use.

        Args:
            name: The profile; None for none.

        Raises:
            ProfileError: The profile does not exist, or the choice can't be written.

        """
        if name is not None:
            self._existing(name)
        with profile_files.alone(self.folder):
            if name is not None:
                self._existing(name)
            self._write_active(name)

    def active(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """Return the name of the profile in use: FAIRING_AZURE_PROFILE, or the one that was activated.

        Args:
            environ: Environment variables.

        Returns:
            The name, of a profile that need not be there; None if there is none.

        Raises:
            ProfileError: The variable or the file holds what is not a name.

        """
        named = environ.get(PROFILE_VARIABLE, "").strip()
        if named:
            self.path(named)
            return named
        return self._active_in_file()

    def active_values(self, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
        """Return the values of the profile in use, as `sources.resolve` takes them.

        Args:
            environ: Environment variables.

        Returns:
            The values by field; none if no profile is in use.

        Raises:
            ProfileError: The profile in use is not there, or can't be used.

        """
        name = self.active(environ)
        if name is None:
            return {}
        if name not in self.list():
            chosen = (
                PROFILE_VARIABLE if environ.get(PROFILE_VARIABLE, "").strip() else str(self.folder / "active-profile")
            )
            error = self._absent(name)
            raise ProfileError(f"{error.message} It is set by {chosen}.", hint=error.hint, code=error.code)
        return self.read(name)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        fields = {
            field: value
            for field, value in values.items()
            if value is not None or field not in self.model.model_fields or may_be_empty(field, self.model)
        }
        return check_values(fields, self.model)

    def _edit(self, name: str, values: Mapping[str, Any], remove: Iterable[str]) -> None:
        self._existing(name)
        with profile_files.alone(self.folder):
            path = self._existing(name)
            profile_files.write(path, profile_files.edit(profile_files.load(path), values, remove, path))

    def _existing(self, name: str) -> Path:
        # By the list and not by the path: a file system that ignores case would take `AKS` for `aks`.
        path = self.path(name)
        if name not in self.list():
            raise self._absent(name)
        return path

    def _absent(self, name: str) -> ProfileError:
        names = self.list()
        near = difflib.get_close_matches(name, names, n=1) or [each for each in names if each.lower() == name.lower()]
        known = (
            f"Profiles: {', '.join(names)}."
            if names
            else f"No profiles yet. Create one: fairing-azure profile set {name} --docker-registry ..."
        )
        hint = f"Did you mean {near[0]!r}? {known}" if near else known
        return ProfileError(
            f"Profile {name!r} not found in {self.folder / 'profiles'}.", hint=hint, code="profile-missing"
        )

    def _reject_same_name_in_other_case(self, name: str) -> None:
        for other in self.list():
            if other != name and other.lower() == name.lower():
                message = f"Profile {name!r} can't be created: {other!r} differs only in upper and lower case."
                raise ProfileError(message, hint=f"Use {other!r}, or another name.", code="profile-name")

    def _active_in_file(self) -> str | None:
        path = self.folder / "active-profile"
        with profile_files.profile_errors("read", path):
            if not path.is_file():
                return None
        name = profile_files.load(path).strip()
        if name and not _NAME.fullmatch(name):
            message = f"{path} does not contain a profile name."
            raise ProfileError(message, hint="Activate a profile again, or delete the file.", code="profile-file")
        return name or None

    def _write_active(self, name: str | None) -> None:
        path = self.folder / "active-profile"
        if name is not None:
            profile_files.write(path, f"{name}\n")
            return
        with profile_files.profile_errors("delete", path):
            path.unlink(missing_ok=True)


def _in_file(error: Mapping[str, str], text: str) -> tuple[str, str]:
    """Return a setting's message and hint as they read where the setting is a line of a profile."""
    line = profile_files.line_of(error["field"], text) if error["field"] else 0
    message = f"Line {line}: {error['message']}" if line else error["message"]
    hint = error["hint"]
    if error["name"] and error["name"] != error["field"]:
        hint = hint.replace(f"{error['name']} = ", f"{error['field']} = ")
    return message, hint
