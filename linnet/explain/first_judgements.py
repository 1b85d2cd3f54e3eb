"""The first step of `linnet verifier`: some answers are written, and taken to be what all of them will be like."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from linnet import tasks
from linnet.artifacts import load_model
from linnet.batches.judged import Judged, JudgedIds, JudgedRows, balanced, encode, hold_out
from linnet.core.errors import BadInput, NothingToLearn
from linnet.core.machine import memory_bytes
from linnet.explain.first_step import Beginning, Chore, Elsewhere, Measuring, widest
from linnet.explain.probe import NO_WRITING, Writing
from linnet.explain.writing import (
    AT_ONCE,
    READ_AT_ONCE,
    asked_for_a_while,
    light_rows,
    row_bytes,
    tiled,
    timed,
)
from linnet.infer.config import SamplingConfig
from linnet.infer.judged_answers import make_judged_answers, read_judged
from linnet.infer.verifier import Verifier
from linnet.model.decoder import Decoder
from linnet.tasks.rows import read
from linnet.text.tokenizer import Tokenizer
from linnet.train import correctness
from linnet.train.config import VerifierConfig
from linnet.train.precision import Precision

JUDGED = 4000  # most answers to read and to judge
LIKELIHOODS = 64  # answers that say what likelihood is worth, for the work alone


@dataclass(frozen=True)
class Answers:
    """What a verifier learns from and is measured on, as far as it is known.

    Where few are right, fewer are `learned` than stand here to show how long they are. Seconds of `writing` some, of
    which a run has `whole` times as many; of `encoding` one, and how many there are to be `encoded`.
    """

    learn: list[Judged]
    held_out: list[Judged]
    train: list[JudgedIds]
    test: list[JudgedIds]
    learned: int
    writing: float = 0.0
    whole: float = 1.0
    encoding: float = 0.0
    encoded: int = 0


def judging(cfg: VerifierConfig, precision: Precision, elsewhere: Elsewhere) -> Beginning:
    """Return the beginning of `linnet verifier`; raises BadInput as the recipe does."""
    parent, tokenizer = load_model(cfg.parent, precision.device)
    began, size = time.perf_counter(), memory_bytes(precision.device)
    answers = _given_answers(cfg, parent, tokenizer) if cfg.candidates else _own_answers(cfg, parent, tokenizer)
    spent = 0.0 if cfg.candidates else time.perf_counter() - began
    grown = 0 if cfg.candidates else memory_bytes(precision.device) - size
    state = correctness.begin(parent, answers.train, tokenizer.pad_id, cfg, precision)
    evidence = correctness.find_evidence(state.model, answers.train[:LIKELIHOODS], tokenizer.pad_id, precision)
    began = time.perf_counter()
    mark = bool(parent.config.num_experts)
    rows = JudgedRows(answers.train, cfg.batch_size, cfg.seed, tokenizer.pad_id, mark)
    found, share = widest(rows.batch, cfg)
    spent += time.perf_counter() - began
    before = min(answers.learned, correctness.LOOKED_AT) if cfg.likelihood else 0
    test = answers.test[:JUDGED]
    odds = sum(one.right for one in answers.train) / len(answers.train)
    judged, learn = (part[:JUDGED] for part in (answers.held_out, answers.learn))

    def measuring_all() -> float:
        verifier = Verifier(state.model.eval(), tokenizer, odds, evidence)
        pairs = [("" if cfg.blind else one.problem, one.answer) for one in judged]
        return timed(lambda: elsewhere.judge(learn, judged, verifier.scores(pairs), parent, tokenizer, cfg.seed))[1]

    def reading() -> float:
        read = (state.model, test, tokenizer.pad_id, precision)
        return timed(lambda: correctness.held_out_numbers(*read, evidence=evidence))[1]

    chores = (
        Chore("answers", lambda: answers.writing, before=answers.whole),
        Chore("encoding", lambda: answers.encoding, before=answers.encoded),
        Chore("held-out answers", reading, each_look=len(answers.test) / len(test)),
        Chore("judging", measuring_all, last=(len(answers.learn) + len(answers.held_out)) / (len(learn) + len(judged))),
    )
    objective = correctness.correctness_objective(cfg.balance_weight, evidence)
    most = min(AT_ONCE, cfg.problems * cfg.answers)
    writing = Writing(row_bytes(parent, parent.config.context_length), most, most) if not cfg.candidates else NO_WRITING
    measuring = Measuring(before, 0, 0, READ_AT_ONCE)
    return Beginning(state, objective, found, measuring, share, False, True, chores, writing, spent, grown)


def _given_answers(cfg: VerifierConfig, parent: Decoder, tokenizer: Tokenizer) -> Answers:
    assert cfg.candidates is not None
    learn, held_out = hold_out(read_judged(cfg.candidates), cfg.held_out)
    train, _ = encode(balanced(learn, cfg.seed) if cfg.balance else learn, tokenizer, parent.config, cfg.blind)
    test, judged = encode(held_out, tokenizer, parent.config, cfg.blind)
    return Answers(learn, judged, train, test, len(train))


def _own_answers(cfg: VerifierConfig, parent: Decoder, tokenizer: Tokenizer) -> Answers:
    """Let the parent answer some problems, and take all its answers to be like these."""
    task = tasks.find(cfg.task)
    if task.form != "write":
        raise BadInput(f"--task {cfg.task}: its answers are chosen, not written; a verifier judges written answers")
    sampling = SamplingConfig(
        temperature=cfg.temperature, max_tokens=task.max_tokens, calculator=cfg.calculator, seed=cfg.seed
    )
    problems = sum(1 for _ in islice(read(task, cfg.source, cfg.split), cfg.problems))
    answered = light_rows(parent, task.max_tokens, AT_ONCE) // cfg.answers

    with tempfile.TemporaryDirectory(prefix="linnet-plan-") as folder:

        def make(count: int) -> Path:
            asked = (task, cfg.source, cfg.split, count, cfg.answers, sampling)
            return make_judged_answers(Path(folder), parent, tokenizer, *asked)

        path, count, seconds = asked_for_a_while(make, max(1, answered), problems)
        if not path.stat().st_size:
            raise NothingToLearn(f"none of {count * cfg.answers} answers of {cfg.parent} ended: nothing to judge")
        found = read_judged(path)
    (items, kept), encoding = timed(lambda: encode(found, tokenizer, parent.config, cfg.blind))
    whole = problems / count
    share = sum(one.right for one in kept) / len(kept)
    learned = whole * len(kept) * (1 - cfg.held_out)
    train = learned * 2 * min(share, 1 - share) if cfg.balance else learned
    test = max(2, round(whole * len(kept) * cfg.held_out))
    # The labels change no work, but there must be both.
    both = [replace(one, right=place % 2 == 0) for place, one in enumerate(_told_apart(kept, round(learned) + test))]
    return Answers(
        learn=both[test:] or both,
        held_out=both[:test],
        train=tiled(items, max(len(items), round(train))),
        learned=round(train),
        test=tiled(items, test),
        writing=seconds,
        whole=whole,
        encoding=encoding / len(found),
        encoded=round(train) + test,
    )


def _told_apart(judged: Sequence[Judged], count: int) -> list[Judged]:
    """Return so many answers, those that there are again and again, each time to problems of another name."""
    return [
        replace(one, problem=f"{one.problem} {place // len(judged)}") if place >= len(judged) else one
        for place, one in enumerate(tiled(judged, count))
    ]
