"""Early stopping: patience counts evaluations since the best, and is rebuilt from what was logged."""

from linnet.train.early_stop import EarlyStop

LOSSES = [3.0, 2.0, 2.5, 2.1, 1.9, 2.0, 2.0, 2.0]


def stops_at(stop, losses):
    for number, loss in enumerate(losses):
        stop.see(loss)
        if stop.enough:
            return number
    return None


def test_stops_after_patience_evaluations_without_a_new_best():
    assert stops_at(EarlyStop(2), LOSSES) == 3
    assert stops_at(EarlyStop(3), LOSSES) == 7
    assert stops_at(EarlyStop(4), LOSSES) is None


def test_patience_zero_never_stops():
    assert stops_at(EarlyStop(0), [1.0] * 50) is None


def test_an_equal_loss_is_no_improvement():
    assert stops_at(EarlyStop(1), [1.0, 1.0]) == 1


def test_rebuilt_in_the_middle_it_stops_at_the_same_place():
    for cut in range(8):
        stop = EarlyStop(3, LOSSES[:cut])
        at = stops_at(stop, LOSSES[cut:])
        assert stop.enough == (at is not None) or cut == 8
        if at is not None:
            assert cut + at == 7


def test_says_which_is_best():
    stop = EarlyStop(3)
    assert [stop.see(loss) for loss in LOSSES] == [True, True, False, False, True, False, False, False]
    assert stop.best == 1.9
