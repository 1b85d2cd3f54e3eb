"""Stop strings in a text that comes in pieces: nothing after one, and nothing of one, is ever shown."""

from collections.abc import Sequence


class StopScanner:
    """Passes text on until a stop string is complete; a possible beginning of one is held back.

    The stop string that is complete first ends the text (of two that end together the longer): what is shown does
    not depend on how the text was cut into pieces.
    """

    def __init__(self, stops: Sequence[str]):
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def push(self, piece: str) -> str:
        """Take a piece, return the text that is now certain to be shown."""
        if self.stopped or not self._stops:
            return "" if self.stopped else piece
        text = self._held + piece
        found = [(start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)[1]]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what was held back, when the text ends without a stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that is a beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
