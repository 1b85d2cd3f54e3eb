"""The first step of `linnet dpo`: pairs that are read, and pairs of the model's own replies, some of them written."""

import tempfile
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from linnet import tasks
from linnet.adapt.surgery import start_of
from linnet.artifacts import load_model
from linnet.batches.pairs import PairIds, Pairs
from linnet.batches.pairs import encode as encode_pairs
from linnet.core.errors import NothingToLearn
from linnet.core.machine import memory_bytes
from linnet.explain.first_step import Beginning, Chore, Elsewhere, Measuring, widest
from linnet.explain.probe import NO_WRITING, Writing
from linnet.explain.writing import AT_ONCE, READ_AT_ONCE, asked_for_a_while, light_rows, row_bytes, tiled, timed
from linnet.infer.own_pairs import make_own_pairs, parsed
from linnet.model.decoder import Decoder
from linnet.tasks.rows import read
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DPOConfig
from linnet.train.pairing import read_pair_sets, read_pairs
from linnet.train.precision import Precision
from linnet.train.preference import Preferring, logprobs_of, preference_objective, without_dropout
from linnet.train.tuning import begin_adapting, begin_tuning

SHOWN, SAMPLED = 64, 8  # prompts whose replies it writes at an evaluation, and to show


@dataclass(frozen=True)
class OwnPairs:
    """Pairs of the model's own replies: some, how many there will be, seconds of asking, how much more is asked."""

    items: list[PairIds]
    count: int
    seconds: float
    whole: float


def preferring(cfg: DPOConfig, precision: Precision, elsewhere: Elsewhere) -> Beginning:
    """Return the beginning of `linnet dpo`; raises BadInput as the recipe does."""
    chats(cfg.parent)
    loaded, tokenizer = load_model(cfg.parent, precision.device)
    model = begin_adapting(cfg, without_dropout(loaded), tokenizer)
    before = memory_bytes(precision.device)
    own, spent = timed(lambda: _own_pairs(cfg, model, tokenizer) if cfg.pairs_from else None)
    grown = memory_bytes(precision.device) - before
    pairs, held_out = _pair_sets(cfg, own, model, tokenizer)
    start = start_of(model)
    reference = logprobs_of(start, precision)
    chosen = Preferring(cfg.loss, cfg.beta, cfg.gamma, cfg.label_smoothing)
    found, share = widest(pairs.batch, cfg)
    tabled = chosen.has_reference and cfg.keep_reference
    if tabled:  # worked out before the first step: the batches bring it
        found, pairs.reference = (
            replace(found, reference=torch.zeros(2 * found.pairs)),
            torch.zeros(len(pairs.items), 2),
        )
    drawn, held = len(pairs.drawn_in(cfg.steps * cfg.accumulate)) if tabled else 0, len(held_out.items)
    state = begin_tuning(cfg, model, pairs, precision)
    objective = preference_objective(chosen, reference, cfg.balance_weight, cfg.chosen_weight)
    asked = min(SHOWN, len({item.prompt for item in held_out.items}))

    def replies(count: int) -> float:
        return timed(lambda: elsewhere.replies(model, start, tokenizer, held_out, precision, cfg.seed, count))[1]

    shown = min(SAMPLED, asked)
    chores = [
        Chore("replies", lambda: replies(asked), each_look=min(SHOWN, held) / asked, last=2 * min(SHOWN, held) / asked),
        Chore("samples", lambda: replies(shown), last=2.0),
    ]
    if own is not None:
        chores.append(Chore("pairs", lambda: own.seconds, before=own.whole))
    writing = Writing(row_bytes(model, model.config.context_length), AT_ONCE, AT_ONCE) if own else NO_WRITING
    measuring = Measuring(drawn + held, held, held, READ_AT_ONCE)
    return Beginning(state, objective, found, measuring, share, False, True, tuple(chores), writing, spent, grown)


def _pair_sets(cfg: DPOConfig, own: OwnPairs | None, model: Decoder, tokenizer: Tokenizer) -> tuple[Pairs, Pairs]:
    """Return the pairs to learn from and those held out, as `linnet dpo` reads them; its own ones again and again."""
    if cfg.pairs != "none":
        pairs, held_out = read_pair_sets(cfg, {cfg.pairs: cfg.split}, tokenizer, model.config)
        train, out = pairs.items, held_out.items
    else:
        train, out = [], []
    if own is not None:
        held = round(own.count * cfg.held_out)
        train = train + tiled(own.items, max(1, own.count - held))
        out = out + tiled(own.items, min(cfg.held_out_pairs, max(2, held)))
    mark = bool(model.config.num_experts)
    return (
        Pairs(train, cfg.batch_size, cfg.seed, tokenizer.pad_id, mark),
        Pairs(out, 1, cfg.seed, tokenizer.pad_id, mark),
    )


def _own_pairs(cfg: DPOConfig, model: Decoder, tokenizer: Tokenizer) -> OwnPairs | None:
    """Let the model answer some questions; None where that gives no pair and there are others to learn from."""
    name, source, count = parsed(cfg.pairs_from)
    task = tasks.find(name)
    questions = sum(1 for _ in islice(read(task, source, "train"), count))
    first = max(1, light_rows(model, task.max_tokens, AT_ONCE) // cfg.replies)
    _, *seed = source.split(":")[1:]
    with tempfile.TemporaryDirectory(prefix="linnet-plan-") as folder:

        def make(asked: int) -> list[PairIds]:
            said = ":".join([name, str(asked), *seed])
            try:
                path = make_own_pairs(Path(folder), model, tokenizer, said, cfg.replies, cfg.seed, cfg.pairs_by)
            except NothingToLearn:
                return []
            return encode_pairs(read_pairs(path), tokenizer, model.config.context_length).items

        items, asked, seconds = asked_for_a_while(make, first, questions)
    if not items:
        if cfg.pairs != "none":
            return OwnPairs([], 0, seconds, questions / asked)
        raise NothingToLearn(
            f"--pairs-from {cfg.pairs_from}: {asked:,} questions gave no pair: train on the task first"
        )
    whole = questions / asked
    return OwnPairs(items, round(whole * len(items)), seconds, whole)
