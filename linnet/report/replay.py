"""The page of one step done again: its loss beside the logged one, its rows coloured by loss, its hardest tokens.

Shapes: B rows, T tokens in a row.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from linnet.batches.batch import Batch
from linnet.batches.tokens import Token, row_tokens
from linnet.report.page import Bars, Facts, Headline, Headlines, Table, Tokens, write_page
from linnet.report.tokens import LOSS_EDGES, loss_legend, loss_look, loss_row, percent
from linnet.text.tokenizer import Tokenizer

HARDEST = 12
NOTE = "Coloured by the chance that the model gave to a token: the warmer, the smaller. Point at one, or tap it."
BEFORE = 8  # tokens shown before a hard one


def write_replay_page(
    folder: Path,
    run: Path,
    step: int,
    batches: Sequence[Batch],
    losses: Sequence[Tensor],
    tokenizer: Tokenizer,
    found: Mapping[str, Any],
    rows: int,
) -> Path:
    """Write the page of a step and return its path; `losses` [B, T] in nats stand beside the batches.

    `found` holds loss, logged_loss, equal, targets and the counts of what was compared, as `linnet replay` has them.
    """
    read = [
        (row_tokens(batch, row, tokenizer), loss[row].tolist())
        for batch, loss in zip(batches, losses, strict=True)
        for row in range(len(batch.ids))
    ]
    shown = [loss_row(f"Row {number:,}", tokens, costs) for number, (tokens, costs) in enumerate(read[:rows])]
    part = "" if rows >= len(read) else f" The first {rows:,} of {len(read):,} rows are shown."
    return write_page(
        folder,
        Headlines("The loss of this step", headlines(found)),
        _facts(run, step, batches, found),
        Tokens("Its rows, coloured by loss", tuple(shown), loss_legend(), f"{NOTE}{part}"),
        hardest(read),
        spread(read),
        title=f"Step {step:,}, once more",
        lead=f"What {run} learned from at step {step:,}, and what each token of it cost.",
    )


def headlines(found: Mapping[str, Any]) -> tuple[Headline, ...]:
    """Return the loss, and how it stands to the log."""
    loss, logged = found["loss"], found["logged_loss"]
    beside = "this step was not logged" if logged is None else f"logged: {logged!r}"
    verdict = {None: "not logged", True: "equal", False: "not equal"}[found["equal"]]
    passed = f"{found['logged_losses_equal']:,} of {found['logged_losses_compared']:,}"
    return (
        Headline("Loss, nats a token", f"{loss:.4f}", f"{loss!r}", beside),
        Headline("Replayed and logged loss", verdict, "to the last bit" if found["equal"] else ""),
        Headline("Logged losses found again", passed, "", "every logged step from the start of the replay to this one"),
    )


def hardest(read: Sequence[tuple[Sequence[Token], Sequence[float]]]) -> Table:
    """Return the tokens that cost most, each after what stood before it."""
    costs = [
        (losses[token.predicted_at], number, place)
        for number, (tokens, losses) in enumerate(read)
        for place, token in enumerate(tokens)
        if token.learned and token.predicted_at is not None
    ]
    body = []
    for loss, number, place in sorted(costs, key=lambda cost: -cost[0])[:HARDEST]:
        tokens = read[number][0]
        first = max(max((at for at in range(place) if tokens[at].begins), default=0), place - BEFORE)
        before = "".join(token.text for token in tokens[first:place]).replace("↵\n", "↵ ")
        cells = (tokens[place].text.strip("\n"), f"{loss:.3f}", percent(loss), f"{number:,}", before)
        body.append(cells)
    columns = ("token", "loss", "chance", "row", "after")
    return Table("The hardest tokens", columns, tuple(body), numeric=frozenset({1, 2, 3}))


def spread(read: Sequence[tuple[Sequence[Token], Sequence[float]]]) -> Bars:
    """Return how many tokens cost how much."""
    counts = dict.fromkeys((loss_look(edge) for edge in (0.0, *LOSS_EDGES)), 0)
    for tokens, losses in read:
        for token in tokens:
            if token.learned and token.predicted_at is not None:
                counts[loss_look(losses[token.predicted_at])] += 1
    edges = [f"under {LOSS_EDGES[0]}", *(f"from {edge:g}" for edge in LOSS_EDGES)]
    return Bars("How much the tokens cost", ("nats", "tokens"), tuple(zip(edges, counts.values(), strict=True)))


def _facts(run: Path, step: int, batches: Sequence[Batch], found: Mapping[str, Any]) -> Facts:
    rows, tokens = sum(len(batch.ids) for batch in batches), batches[0].ids.shape[1]
    batches_said = "" if len(batches) == 1 else f" in {len(batches)} batches"
    facts = (
        ("Run", str(run)),
        ("Step", f"{step:,}; {found['steps_done_again']:,} done again to reach it"),
        ("Batch", f"{rows:,} rows of {tokens:,} places{batches_said}"),
        ("Targets", f"{found['targets']:,}"),
    )
    return Facts("What was replayed", facts)
