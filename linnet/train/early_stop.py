"""When to stop early: the held-out loss has not improved for a number of evaluations."""

from collections.abc import Iterable


class EarlyStop:
    """Watches held-out losses; `patience` evaluations without a new best are enough, 0 never is.

    Rebuilt on resume from the losses already logged, so that a resumed run stops where the uninterrupted one does.
    """

    def __init__(self, patience: int, earlier: Iterable[float] = ()):
        self.patience = patience
        self.best = float("inf")
        self.waited = 0
        for loss in earlier:
            self.see(loss)

    def see(self, loss: float) -> bool:
        """Take a held-out loss; return whether it is the best so far."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return True
        self.waited += 1
        return False

    @property
    def enough(self) -> bool:
        """Say whether to stop now."""
        return 0 < self.patience <= self.waited
