"""A probe written by hand, for tests of what is made of it."""

from linnet.explain.first_step import Elsewhere
from linnet.explain.probe import Probe, Sight

MB = 10**6
NOTHING_ELSE = Elsewhere(lambda *_: None, lambda *_: None, lambda *_: None)


def a_probe(**changes) -> Probe:
    """Return a probe of 4 and 8 rows: 10 MB a row and 20 MB besides; 0.1 s a row and 0.2 s besides."""
    sights = (
        Sight(rows=4, learning=60 * MB, seconds=0.6, resident=400 * MB),
        Sight(rows=8, learning=100 * MB, seconds=1.0, resident=442 * MB),
    )
    values = {
        "total": 1000,
        "trainable": 1000,
        "weights": 40 * MB,
        "gradients": 40 * MB,
        "states": 80 * MB,
        "floor": 200 * MB,
        "outputs": 1000 * 64,
        "capacity": 8000 * MB,
        "places": 64,
        "share": 1.0,
        "batches": 1,
        "sights": sights,
        "updating": 30 * MB,
        "evaluating": 2 * MB,
        "resident": 450 * MB,
        "ready_seconds": 5.0,
        "update_seconds": 0.0,
        "row_seconds": 0.01,
        "save_seconds": 0.5,
        "prove_seconds": 2.0,
        "before": 0,
        "each": 32,
        "last": 100,
        "evaluated": 32,
    }
    return Probe(**{**values, **changes})
