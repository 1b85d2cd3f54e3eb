"""Errors that are the user's to mend: one line that says what, where and what to do."""

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """An input or an option that cannot be used; the command line prints it as one line and exits with 2."""


class NothingToLearn(BadInput):
    """A model's own replies hold nothing to learn from: all are right, or all are wrong."""


class Failed(RuntimeError):
    """Work that was asked for rightly and could not be finished; one line and exit code 1."""


class Stopped(Exception):
    """Work that was stopped by a signal after saving; the command line prints the message and exits with its code."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return a ready clause such as ` Did you mean "full"?`, or an empty string when nothing is close."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""


def needs_extra(package: str, extra: str, purpose: str) -> BadInput:
    """Return the error for a missing optional package, naming the extra that installs it."""
    return BadInput(f'{purpose} needs the package {package}: pip install "linnet[{extra}]"')
