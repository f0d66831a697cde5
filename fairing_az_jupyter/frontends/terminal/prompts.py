"""Asking the user in a terminal or in a notebook; an answer is shown and kept nowhere."""

from __future__ import annotations

import getpass
import sys
import warnings
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from fairing_az_jupyter.models import Question

_ATTEMPTS = 3
_OTHER_WAYS = "Use --from-env (environment variables) or --from-file FILE instead."


def ask(question: Question, *, in_kernel: bool = False) -> str:
    """Ask the user.

    Args:
        question: What to ask; it is asked again where there has to be an answer and none was given.
        in_kernel: Whether a notebook's front end asks, whose kernel has put `input` and `getpass` in their places.

    Returns:
        The answer, without white space around it; empty only where the question is optional.

    Raises:
        InputError: There is nobody to ask, the answer can't be hidden, or none was given.

    """
    if not in_kernel and not at_terminal():
        raise _nobody("standard input is not a terminal")
    prompt = f"{question.text.rstrip()} "
    for _ in range(_ATTEMPTS):
        try:
            answer = (_hidden if question.hidden else _shown)(prompt, in_kernel=in_kernel).strip()
        except NotImplementedError:
            # IPython's StdinNotImplementedError: papermill, nbconvert and others run a notebook without a person.
            reason = "this notebook runs unattended"
        except EOFError:
            reason = "the input has ended"
        except getpass.GetPassWarning:
            reason = "this terminal would show the answer"
        else:
            if answer or question.optional:
                return answer
            continue
        # Raised out here so that no context leads back into the prompt.
        raise _nobody(reason)
    raise InputError(f"No answer to '{question.text.strip()}'.", hint=_OTHER_WAYS, code="no-answer")


def at_terminal() -> bool:
    """Tell whether a person sits before standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def _hidden(prompt: str, *, in_kernel: bool) -> str:
    if in_kernel:
        return getpass.getpass(prompt)
    with warnings.catch_warnings():
        # It would continue and show what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        return getpass.getpass(prompt)


def _shown(prompt: str, *, in_kernel: bool) -> str:
    if in_kernel:
        return input(prompt)
    # Not input(): its prompt goes to standard output, which is for the answer in JSON.
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _nobody(reason: str) -> InputError:
    return InputError(f"The values can't be asked for: {reason}.", hint=_OTHER_WAYS, code="nobody-to-ask")
