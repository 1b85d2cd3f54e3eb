"""Pages on which every token is coloured: by whether it is learned (X-ray), or by what it cost (replay)."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

from linnet.batches.tokens import Token
from linnet.report.page import LOSS_LOOKS, Bars, Cell, TokenRow

MOST_TOKENS = 2048  # of one row on a page
LOSS_EDGES = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0)  # nats between the looks of a loss
LEARNED_LEGEND = (
    Cell("learned", "learned"),
    Cell("read, not learned", "unlearned"),
    Cell("special, learned", "special"),
    Cell("special, not learned", "special-unlearned"),
    Cell("padding", "padding"),
    Cell("wrong target", "wrong"),
)
MOST_BARS = 12


def learned_row(heading: str, tokens: Sequence[Token], problems: tuple[str, ...] = ()) -> TokenRow:
    """Return a row whose tokens are coloured by whether they are learned; a run of padding is one cell."""
    return TokenRow(heading, _cells(tokens, {}), problems)


def loss_row(heading: str, tokens: Sequence[Token], losses: Sequence[float]) -> TokenRow:
    """Return a row whose tokens are coloured by their loss; `losses` [T] in nats, each of the target at its place."""
    return TokenRow(heading, _cells(tokens, dict(enumerate(losses))))


def loss_look(loss: float) -> str:
    """Return the look of a loss in nats."""
    return LOSS_LOOKS[bisect_right(LOSS_EDGES, loss)]


def loss_legend() -> tuple[Cell, ...]:
    """Return the looks of losses, from the least to the greatest, named by the chance the model gave the token."""
    bounds = [f"over {percent(LOSS_EDGES[0])}"]
    bounds += [f"{percent(low)} to {percent(high)}" for low, high in pairwise(LOSS_EDGES)]
    bounds.append(f"under {percent(LOSS_EDGES[-1])}")
    cells = (Cell(words, look) for words, look in zip(bounds, LOSS_LOOKS, strict=True))
    return (*cells, Cell("not learned", "unlearned"))


def length_bars(title: str, columns: tuple[str, str], lengths: Mapping[int, int], note: str = "") -> Bars:
    """Return how often each length occurs (`lengths`: tokens -> how many), in at most a dozen steps of equal width."""
    longest = max(lengths, default=0)
    width = step_width(longest)
    counts = [0] * (longest // width + 1)
    for length, count in lengths.items():
        counts[length // width] += count
    first = next((place for place, count in enumerate(counts) if count), 0)
    starts = range(0, len(counts) * width, width)
    names = [f"{start:,}" if width == 1 else f"{start:,} to {start + width - 1:,}" for start in starts]
    return Bars(title, columns, tuple(zip(names[first:], counts[first:], strict=True)), note)


def step_width(longest: int) -> int:
    """Return the least of 1, 2, 5, 10, 20, ... of which a dozen reach beyond `longest`."""
    width = 1
    for factor in (2, 2.5, 2) * 20:
        if width * MOST_BARS > longest:
            break
        width = round(width * factor)
    return width


def _cells(tokens: Sequence[Token], losses: Mapping[int, float]) -> tuple[Cell, ...]:
    found: list[Cell] = []
    padding = 0
    shown = tokens[:MOST_TOKENS]
    for place, token in enumerate(shown):
        if token.padding and not token.learned:
            padding += 1
            if place + 1 == len(shown) or not shown[place + 1].padding or shown[place + 1].learned:
                found.append(Cell(f"padding × {padding:,}", "padding", "Fills the row up; nobody reads it.", True))
                padding = 0
            continue
        loss = None if token.predicted_at is None or not token.learned else losses.get(token.predicted_at)
        look = _look(token) if loss is None else loss_look(loss)
        found.append(Cell(token.text, look, _about(token, loss), token.begins and bool(found)))
    if len(tokens) > MOST_TOKENS:
        found.append(Cell(f"… {len(tokens) - MOST_TOKENS:,} more", "unlearned"))
    return tuple(found)


def _look(token: Token) -> str:
    if token.wrong_target is not None or (token.padding and token.learned):
        return "wrong"
    if token.special:
        return "special" if token.learned else "special-unlearned"
    return "learned" if token.learned else "unlearned"


def _about(token: Token, loss: float | None) -> str:
    """Return what is said of a token that is pointed at."""
    lines = [f"id {token.id}  “{token.text.rstrip(chr(10))}”"]
    if loss is not None:
        lines.append(f"loss {loss:.4f} nats, chance {percent(loss)}")
    why = ": nothing stands before it" if token.begins else " in padding" if token.padding else ""
    lines.append(f"loss weight {'1 (learned' if token.learned else '0 (not learned'}{why})")
    if token.wrong_target is not None:
        lines.append(f"wrong target: id {token.wrong_target} is learned in its place")
    lines.append(f"target at this place: {'none' if token.target is None else f'id {token.target}'}")
    lines.append(f"position {token.position}, document {token.document}")
    return "\n".join(lines)


def percent(loss: float) -> str:
    """Return the chance that a loss in nats stands for."""
    chance = 100 * math.exp(-loss)
    return f"{chance:.0f}%" if chance >= 10 else f"{chance:.2g}%"
