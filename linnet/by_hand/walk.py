"""One token's way through a GPT with four numbers a token: every number on the way, few enough to follow with a pencil.

T tokens, D = 4 hidden size, H = 2 heads of d = 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linnet.by_hand.activations import squared_relu
from linnet.by_hand.attention import merge_heads, split_heads
from linnet.by_hand.counts import encode, vocabulary
from linnet.by_hand.embedding import embedding
from linnet.by_hand.gpt import Architecture, Weights, shapes
from linnet.by_hand.linear import linear
from linnet.by_hand.norms import rms_norm
from linnet.by_hand.operation import Array
from linnet.by_hand.positions import rotary_angles, rotate
from linnet.by_hand.softmax import cross_entropy, softmax


@dataclass(frozen=True)
class Stop:
    """A stop on the way: its name, what is computed there, and the numbers, a row each; `columns` names them."""

    name: str
    formula: str
    rows: dict[str, list[float]]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Walk:
    """The way of the last token but one of a text, whose last token is the one to guess."""

    text: str
    weights: Weights
    config: Architecture
    stops: list[Stop]
    loss: float

    def lines(self) -> Iterator[str]:
        """Yield the walk as lines of text: the weights, then each stop with its numbers."""
        yield f"{self.text[:-1]!r} is read, {self.text[-1]!r} is to be guessed. The weights are drawn by dice:"
        for name, weight in self.weights.items():
            yield f"\n{name.removeprefix('blocks.0.')}  [{weight.shape[0]} x {weight.shape[1]}]"
            yield from (_line("", row, digits=1) for row in weight.tolist())
        for number, stop in enumerate(self.stops, start=1):
            yield f"\n{number}. {stop.name}: {stop.formula}"
            if stop.columns:
                yield " " * 10 + "".join(f"{column:>8}" for column in stop.columns)
            yield from (_line(label, row) for label, row in stop.rows.items())


def walk(text: str, seed: int = 0) -> Walk:
    """Return the way of the last token that is read, through a network of one block whose weights are drawn by dice.

    Its weights have one decimal, so that one can reckon along; it has learned nothing, and its guess is worth nothing.
    Raises ValueError for a text of less than two characters.
    """
    if len(text) < 2:
        raise ValueError(f"{text!r} is too short: at least one character to read and one to guess")
    characters = vocabulary(text)
    config = Architecture(
        len(characters), len(text) - 1, num_layers=1, hidden_size=4, num_heads=2, num_kv_heads=2, mlp_size=6,
        qk_norm=False, embedding_norm=False,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    # + 0.0: rounding leaves some -0.0
    weights = {name: rng.normal(0, 0.7, shape).round(1) + 0.0 for name, shape in shapes(config).items()}
    ids = encode(text, characters)
    names = [f"{place} {sign!r}" for place, sign in enumerate(text[:-1])]
    stream, stops = _read(ids[:-1], weights, names)
    here, more = _attend(stream, weights, config, names)
    stops += more
    here, more = _think(here, weights)
    stops += more
    loss, more = _guess(here, weights, characters, int(ids[-1]))
    return Walk(text, weights, config, stops + more, loss)


def _read(ids: Array, weights: Weights, names: list[str]) -> tuple[Array, list[Stop]]:
    stream, _ = embedding(ids, weights["embedding.weight"])  # [T, D]
    return stream, [
        Stop("ids", "each character is a number: its place in the alphabet of the text", _by_name(names, ids[:, None])),
        Stop("embedding", "x = the row of the table at that id", _by_name(names, stream)),
    ]


def _attend(x: Array, weights: Weights, config: Architecture, names: list[str]) -> tuple[Array, list[Stop]]:
    """Return the stream of the last token after attention [D], and the stops."""
    size, last = config.head_size, names[-1]
    n, _ = rms_norm(x)
    flat = {part: linear(n, weights[f"blocks.0.attention.{part}.weight"])[0] for part in ("query", "key", "value")}
    q, k, v = (split_heads(part[None], size) for part in flat.values())  # [1, H, T, d]
    angles = rotary_angles(np.arange(len(x)), size, config.rope_theta)
    (turned_q, _), (turned_k, _) = rotate(q, *angles), rotate(k, *angles)
    scores = (turned_q[:, :, -1:] @ turned_k.swapaxes(-2, -1)) / size**0.5  # [1, H, 1, T]
    shares, _ = softmax(scores)
    mixed = merge_heads(shares @ v)[0, 0]  # [D]
    out, _ = linear(mixed, weights["blocks.0.attention.output.weight"])
    heads = [f"head {head + 1}" for head in range(config.num_heads)]
    place = len(x) - 1
    return x[-1] + out, [
        Stop("norm", "n = x / sqrt(mean(x^2))", _by_name(names, n)),
        Stop("query", "W_q n, what it asks; the first two numbers are head 1's", {last: flat["query"][-1].tolist()}),
        Stop("keys", "W_k n, what each token answers to", _by_name(names, flat["key"])),
        Stop("values", "W_v n, what each token has to say", _by_name(names, flat["value"])),
        Stop("rotary: query", f"each pair turned by {place} radians, its place", {last: _flat(turned_q)[-1].tolist()}),
        Stop("rotary: keys", "each pair turned by the place of its token", _by_name(names, _flat(turned_k))),
        Stop("scores", "query . key / sqrt(2): how well they fit", _by_name(heads, scores[0, :, 0]), tuple(names)),
        Stop("softmax", "exp(score) / sum of all: shares of one", _by_name(heads, shares[0, :, 0]), tuple(names)),
        Stop("mix", "the values in these shares", _by_name(heads, mixed.reshape(-1, size))),
        Stop("output", "W_o (both heads side by side)", {last: out.tolist()}),
        Stop("add", "x = x + output: the stream goes on, with what was heard", {last: (x[-1] + out).tolist()}),
    ]  # fmt: skip


def _think(x: Array, weights: Weights) -> tuple[Array, list[Stop]]:
    """Return the stream of the last token after the MLP [D], and the stops."""
    n, _ = rms_norm(x)
    up, _ = linear(n, weights["blocks.0.mlp.up.weight"])
    bent, _ = squared_relu(up)
    down, _ = linear(bent, weights["blocks.0.mlp.down.weight"])
    steps = (
        ("MLP: norm", "n = x / sqrt(mean(x^2))", n),
        ("MLP: up", "W_u n: six questions about the token", up),
        ("MLP: ReLU^2", "max(u, 0)^2: those that say yes, the louder the more", bent),
        ("MLP: down", "W_d of that", down),
        ("add", "x = x + down: the end of the block", x + down),
    )
    return x + down, [Stop(name, formula, {"": numbers.tolist()}) for name, formula, numbers in steps]


def _guess(x: Array, weights: Weights, characters: list[str], target: int) -> tuple[float, list[Stop]]:
    n, _ = rms_norm(x)
    logits, _ = linear(n, weights["head.weight"])
    shares, _ = softmax(logits)
    (loss, _), back = cross_entropy(logits, np.array(target))
    columns = tuple(repr(character) for character in characters)
    wanted = columns[target]
    return loss, [
        Stop("last norm", "n = x / sqrt(mean(x^2))", {"": n.tolist()}),
        Stop("logits", "W n: a score for each character that could follow", {"": logits.tolist()}, columns),
        Stop("softmax", "the guess, in shares of one", {"": shares.tolist()}, columns),
        Stop("loss", f"-ln of the share of {wanted}, which really came: the surprise in nats", {"": [loss]}),
        Stop("gradient", f"share - 1 at {wanted}: what training now changes", {"": back().tolist()}, columns),
    ]


def _line(label: str, numbers: list[float], digits: int = 3) -> str:
    words = (f"{number:8d}" if isinstance(number, int) else f"{number:8.{digits}f}" for number in numbers)
    return f"  {label:8}" + "".join(words)


def _by_name(names: list[str], rows: Array) -> dict[str, list[float]]:
    return dict(zip(names, rows.tolist(), strict=True))


def _flat(heads: Array) -> Array:
    return merge_heads(heads)[0]
