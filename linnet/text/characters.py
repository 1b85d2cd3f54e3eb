"""The character tokenizer: one id for each character of a text, an exact inverse, by table lookup."""

from collections.abc import Iterable, Sequence

import numpy as np

from linnet.core.errors import BadInput

LARGEST_CODE_POINT = 0x10FFFF


class CharacterTable:
    """Looks up ids of characters in one numpy step: 1 MB of text in about 10 ms."""

    def __init__(self, vocabulary: dict[str, int]):
        # -1 marks unknown; the last entry stands for every character beyond the largest known one.
        largest = max((ord(character) for character in vocabulary), default=0)
        self._ids = np.full(min(largest, LARGEST_CODE_POINT) + 2, -1, dtype=np.int32)
        for character, id in vocabulary.items():
            self._ids[ord(character)] = id

    def encode(self, text: str) -> np.ndarray:
        """Return ids [characters] int32; raises BadInput naming the first unknown character and its place."""
        codes = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
        ids = self._ids[np.minimum(codes, len(self._ids) - 1)]
        unknown = np.flatnonzero(ids < 0)
        if len(unknown):
            place = int(unknown[0])
            raise BadInput(
                f"character {text[place]!r} (U+{ord(text[place]):04X}) at position {place:,} of the text is not in the "
                f"vocabulary of this character tokenizer ({len(unknown):,} of {len(text):,} characters are unknown); "
                "train the tokenizer on this text too, or use --kind bpe"
            )
        return ids


def build_characters(texts: Iterable[str], specials: Sequence[str]) -> tuple[str, int]:
    """Return (tokenizer.json text, characters read): specials first, then the characters in code point order."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    seen: set[str] = set()
    count = 0
    for text in texts:
        seen.update(text)
        count += len(text)
    if not seen:
        raise BadInput("the corpus holds no characters; a tokenizer cannot be trained on it")
    seen -= {chr(code) for code in range(0xD800, 0xE000)}  # lone surrogates are no characters
    vocabulary = {symbol: id for id, symbol in enumerate([*specials, *sorted(seen)])}
    # WordLevel refuses an unknown character because its unknown token is not in the vocabulary either.
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<|unknown character|>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("(?m:.)"), "isolated")
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    return backend.to_str(pretty=True), count
