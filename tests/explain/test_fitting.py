"""The search for what fits: the order of the changes, steps that keep their rows, and the one line that says it."""

from dataclasses import replace
from pathlib import Path

import pytest

from linnet.explain.fitting import Limits, changes, nearest_fit, refuse, with_rows
from linnet.explain.forecast import forecast
from linnet.explain.probe import Work
from linnet.train.config import DPOConfig, GRPOConfig, PretrainConfig, SftConfig, VerifierConfig
from linnet.train.row_config import EmbedConfig
from tests.explain.plans import MB, a_probe

NEW = PretrainConfig(batch_size=64, steps=100)
TUNED = SftConfig(parent=Path("run"), batch_size=64)


def test_changes_come_in_their_order():
    assert [options for _, options in changes(NEW)] == [
        (),
        ("--checkpointing",),
        ("--checkpointing", "--optimizer.state-bits", "8"),
        ("--checkpointing", "--optimizer.state-bits", "8", "--model.num-layers", "2"),
        ("--checkpointing", "--optimizer.state-bits", "8", "--model.num-layers", "1"),
    ]
    assert [options[-1:] for _, options in changes(TUNED)] == [(), ("--checkpointing",), ("lora",), ("8",)]


def test_a_smaller_batch_is_enough_and_the_step_keeps_its_rows():
    limits = Limits(memory=900 * MB)
    fit = nearest_fit(NEW, lambda cfg: a_probe(), limits)
    assert fit is not None
    assert fit.options == ("--batch-size", "16", "--accumulate", "4")
    assert fit.cfg.batch_size * fit.cfg.accumulate == 64
    assert limits.holds(fit.found)
    assert not limits.holds(forecast(a_probe(), NEW))


def test_what_takes_longer_than_there_is_time_does_not_fit():
    found = forecast(a_probe(), NEW)
    assert Limits(10**12).holds(found)
    assert Limits(10**12, found.seconds).holds(found)
    assert not Limits(10**12, found.seconds - 1).holds(found)


def test_what_is_proposed_has_been_looked_at_itself():
    seen = []

    def look(cfg):
        seen.append((cfg.batch_size, cfg.accumulate))
        return a_probe()

    nearest_fit(NEW, look, Limits(memory=900 * MB))
    assert seen == [(64, 1), (16, 4)]


def test_a_proposal_that_turns_out_too_large_is_made_smaller():
    def look(cfg):
        return a_probe(resident=2000 * MB) if cfg.batch_size == 16 else a_probe()

    fit = nearest_fit(NEW, look, Limits(memory=900 * MB))
    assert fit is not None
    assert fit.options == ("--batch-size", "8", "--accumulate", "8")


def test_where_one_row_is_too_much_the_next_change_is_tried():
    heavy = tuple(replace(one, resident=5000 * MB) for one in a_probe().sights)

    def look(cfg):
        return a_probe() if cfg.checkpointing else a_probe(resident=5000 * MB, sights=heavy)

    fit = nearest_fit(NEW, look, Limits(memory=900 * MB))
    assert fit is not None
    assert fit.options[0] == "--checkpointing"


def test_nothing_is_proposed_where_nothing_helps():
    limits = Limits(memory=100 * MB)
    assert nearest_fit(NEW, lambda cfg: a_probe(), limits) is None
    assert nearest_fit(NEW, lambda cfg: None, limits) is None
    line = str(refuse("pretrain", None, limits, None))
    assert "weights alone" in line
    assert "\n" not in line


def test_where_time_is_short_there_are_fewer_steps():
    limits = Limits(memory=8000 * MB, seconds=100.0)
    fit = nearest_fit(NEW.but(batch_size=8), lambda cfg: a_probe(), limits)
    assert fit is not None
    assert fit.options[0] == "--steps"
    assert fit.found.seconds <= 100 < forecast(a_probe(), NEW.but(batch_size=8)).seconds


@pytest.mark.parametrize(
    ("cfg", "work", "options"),
    [
        (VerifierConfig(parent=Path("run"), problems=1000, steps=9), "answers", ("--problems", "561")),
        (DPOConfig(parent=Path("run"), pairs_from="sums:500:7", steps=9), "pairs", ("--pairs-from", "sums:280:7")),
    ],
)
def test_where_steps_are_not_what_takes_the_time_fewer_questions_are_asked(cfg, work, options):
    def look(changed):
        asked = changed.problems if work == "answers" else 2 * int(changed.pairs_from.split(":")[1])
        return a_probe(works=(Work(work, 10.0, before=asked / 10),))

    cfg = cfg.but(batch_size=8)
    every = forecast(look(cfg), cfg).seconds  # a thousand for the questions, some nine for the steps
    fit = nearest_fit(cfg, look, Limits(8000 * MB, every - 399))
    assert fit is not None
    assert fit.options == options
    assert every - 460 < fit.found.seconds <= every - 399
    assert nearest_fit(cfg, look, Limits(8000 * MB, every - 990)) is None
    assert nearest_fit(cfg, lambda _: look(cfg), Limits(8000 * MB, every - 399)) is None  # it did not help


def test_the_refusal_says_what_it_takes_what_there_is_and_what_fits():
    limits = Limits(memory=900 * MB)
    found = forecast(a_probe(), NEW)
    line = str(refuse("pretrain", found, limits, nearest_fit(NEW, lambda cfg: a_probe(), limits)))
    assert f"{found.memory / 1e9:.2f} GB" in line
    assert "0.90 GB" in line
    assert line.endswith("--batch-size 16 --accumulate 4")


@pytest.mark.parametrize(("rows", "size", "accumulate"), [(64, 64, 3), (63, 48, 4), (5, 4, 48), (1, 1, 192)])
def test_batches_divide_the_step(rows, size, accumulate):
    found = with_rows(NEW.but(accumulate=3), rows)
    assert found is not None
    assert (found.batch_size, found.accumulate) == (size, accumulate)


def test_replies_stay_in_whole_groups():
    cfg = GRPOConfig(parent=Path("run"), batch_size=48, group=8)
    found = [with_rows(cfg, rows) for rows in (48, 47, 15, 7)]
    assert [one and (one.batch_size, one.accumulate) for one in found] == [(48, 1), (24, 2), (8, 6), None]
    again = with_rows(cfg.but(updates=2), 30)  # two batches of a step would be the same replies
    assert again is not None
    assert (again.batch_size, again.accumulate) == (24, 1)
    assert nearest_fit(cfg, lambda cfg: a_probe(), Limits(memory=480 * MB)) is None  # of 430 MB, 8 take 450


def test_a_search_keeps_its_passages_as_long_as_it_can():
    cfg = EmbedConfig(batch_size=64, steps=100)
    limits = Limits(memory=900 * MB)
    lighter = tuple(replace(one, learning=one.learning // 4) for one in a_probe().sights)

    def look(changed):
        return a_probe(sights=lighter) if changed.checkpointing else a_probe()

    fit = nearest_fit(cfg, look, limits)
    assert fit is not None
    assert fit.options == ("--checkpointing",)
    smaller = nearest_fit(cfg, lambda cfg: a_probe(), limits)
    assert smaller is not None
    assert smaller.options == ("--batch-size", "16", "--accumulate", "4")
    line = str(refuse("embed", forecast(a_probe(), cfg), limits, smaller))
    assert line.endswith("(each question is then told from fewer passages)")
    assert with_rows(cfg.but(batch_size=5), 4) is None
    kinds = [options[-2:] for _, options in changes(cfg)][1:]
    assert kinds == [("--checkpointing",), ("--optimizer.state-bits", "8"), ("--model.num-layers", "1")]
    assert ("--adapt.method", "lora") in [options[-2:] for _, options in changes(cfg.but(parent=Path("run")))]
