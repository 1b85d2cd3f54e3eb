"""Byte-pair encoding by hand (Sennrich et al. 2016), on bytes as GPT-2 does it, digits apart: train, encode, decode.

A worked example. The text "hug hugs hug bun" is cut into the pieces "hug", " hugs", " hug", " bun", and merges never
cross their borders. Pairs of neighbours, counted over all pieces: h+u 3, u+g 3, " "+h 2, and others once.

    1. u+g and h+u are tied at 3: the pair of smaller ids goes first, by its first id, so h+u becomes "hu" (h < u)
    2. now hu+g stands 3 times, the most: "hug"
    3. " "+hug stands 2 times: " hug"; what is left stands once, and a pair seen once is not worth an id

Encoding replays that: " hugs" -> " " h u g s -> " " hu g s -> " " hug s -> " hug" s. The text itself does not matter
any more, only the order of the merges.
"""

import itertools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

Pair = tuple[int, int]

# What Unicode calls White_Space; Python's isspace also says yes to four old control characters.
SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
                   "\u2028\u2029\u202f\u205f\u3000")  # fmt: skip
ENDINGS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))


@dataclass(frozen=True)
class BytePairs:
    """A trained encoding: the bytes of each id, how many ids are specials, and the merges in their order.

    Ids are in the order of their making: specials, 256 bytes, then one for each merge.
    """

    tokens: tuple[bytes, ...]
    specials: int
    merges: tuple[Pair, ...]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; marks of special tokens in it are read as plain text."""
        byte_ids = {byte: id for id, byte in enumerate(byte_order(), start=self.specials)}
        made = {pair: id for id, pair in enumerate(self.merges, start=self.specials + 256)}
        ids: list[int] = []
        for piece in pieces(text):
            ids += merge([byte_ids[byte] for byte in piece.encode()], made)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; bytes that are no whole character become the replacement mark."""
        return b"".join(self.tokens[id] for id in ids).decode(errors="replace")


def merge(ids: list[int], made: dict[Pair, int]) -> list[int]:
    """Merge the neighbours whose merge was learned first, all from the left, until no two can be merged.

    `made` is the id that each pair makes; what was learned earlier has the smaller one.
    """
    while known := [pair for pair in itertools.pairwise(ids) if pair in made]:
        first = min(known, key=lambda pair: made[pair])
        ids = replace(ids, first, made[first])
    return ids


def train(texts: Iterable[str], vocab_size: int, specials: Sequence[str] = (), least: int = 2) -> BytePairs:
    """Learn merges until there are `vocab_size` ids (specials and 256 bytes included) or no pair stands `least` times.

    Of pairs that stand equally often the one with the smaller ids goes first; that is where implementations differ,
    and this is the rule of the `tokenizers` library. Raises ValueError for a vocabulary too small for its bytes.
    """
    tokens = [special.encode() for special in specials] + [bytes([byte]) for byte in byte_order()]
    if vocab_size < len(tokens):
        raise ValueError(f"vocab_size {vocab_size} is below {len(tokens)}: {len(specials)} specials and 256 bytes")
    byte_ids = {byte: id for id, byte in enumerate(byte_order(), start=len(specials))}
    counts = Counter(piece for text in texts for piece in pieces(text))
    words = [[byte_ids[byte] for byte in piece.encode()] for piece in counts]
    times = list(counts.values())
    pairs: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # the words in which a pair stands
    for number, word in enumerate(words):
        _count(word, times[number], number, pairs, places)
    merges: list[Pair] = []
    while len(tokens) < vocab_size and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < least:
            break
        merges.append(best)
        for number in list(places[best]):
            _count(words[number], -times[number], number, pairs, places)
            words[number] = replace(words[number], best, len(tokens))
            _count(words[number], times[number], number, pairs, places)
        # Never the bytes of another id: equal bytes that no merge has yet tied to their neighbours are cut alike.
        tokens.append(tokens[best[0]] + tokens[best[1]])
    return BytePairs(tuple(tokens), len(specials), tuple(merges))


def replace(word: list[int], pair: Pair, new: int) -> list[int]:
    """Return a word with each occurrence of the pair, from the left, replaced by one id: a a a is (a a) a."""
    out: list[int] = []
    place = 0
    while place < len(word):
        found = (word[place], *word[place + 1 : place + 2]) == pair
        out.append(new if found else word[place])
        place += 2 if found else 1
    return out


def _count(word: list[int], times: int, number: int, pairs: Counter[Pair], places: dict[Pair, set[int]]) -> None:
    """Add `times` to the count of each pair of a word (taken back where it is negative) and note where it stands."""
    for pair in itertools.pairwise(word):
        pairs[pair] += times
        if times > 0:
            places[pair].add(number)
            continue
        places[pair].discard(number)
        if pairs[pair] == 0:
            del pairs[pair]


def byte_order() -> list[int]:
    """Return the 256 bytes in the order of their ids: printable ones first, as GPT-2 writes bytes as characters."""
    return [*PRINTABLE, *(byte for byte in range(256) if byte not in PRINTABLE)]


def pieces(text: str) -> Iterator[str]:
    """Cut a text as GPT-2 does, each digit apart; the pieces joined are the text.

    A piece is a digit, or an English ending such as 's, or a run of letters or of other signs, each with one space
    before it where there is one, or a run of white space, which leaves its last sign to what follows if no digit.
    """
    place = 0
    while place < len(text):
        end = _end_of_piece(text, place)
        yield text[place:end]
        place = end


def _end_of_piece(text: str, start: int) -> int:
    if kind(text[start]) == "digit":
        return start + 1
    ending = next((word for word in ENDINGS if text.startswith(word, start)), None)
    if ending is not None:
        return start + len(ending)
    first = start + (text[start] == " ")
    if first < len(text) and kind(text[first]) not in ("space", "digit"):
        return _end_of_run(text, first)
    end = _end_of_run(text, start)
    # "a  b": the run leaves its last space to b. A single one, or a run before a digit or the end, stays whole.
    return end - 1 if end < len(text) and end - start > 1 and kind(text[end]) != "digit" else end


def _end_of_run(text: str, start: int) -> int:
    wanted = kind(text[start])
    return next((place for place in range(start, len(text)) if kind(text[place]) != wanted), len(text))


def kind(character: str) -> str:
    """Return "space", "letter", "digit" or "other" by the character's Unicode properties."""
    if character in SPACES:
        return "space"
    return {"L": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "other")
