"""What bytes each token stands for: read from the decoder of a tokenizer.json, so that decoding is a table."""

import json
import re

from linnet.core.errors import BadInput

MOST_IDS = 2**22  # sixteen times the largest vocabularies there are; a wild id must not fill the memory
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def byte_symbols() -> dict[str, int]:
    """Return GPT-2's alphabet: a printable character for each of the 256 bytes (openai/gpt-2 `encoder.py`)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def token_table(description: dict, where: str) -> tuple[list[bytes], bool]:
    """Return the bytes of every id (b"" for special tokens and holes), and whether one leading space is dropped.

    `description` is a parsed tokenizer.json. Raises BadInput for a decoder that is not a plain byte mapping
    (WordPiece and the like), because its pieces could not be turned back into the exact text.
    """
    vocabulary = _vocabulary(description, where)
    added = description.get("added_tokens") or []
    specials = {token["id"] for token in added if token.get("special")}
    plain = {token["id"]: token["content"] for token in added if not token.get("special")}
    to_bytes, drop_space = _decoder_rule(description.get("decoder"), where)
    size = max([*vocabulary.values(), *(token["id"] for token in added)], default=-1) + 1
    if size > MOST_IDS:
        raise BadInput(f"{where}: its largest id is {size - 1:,}; a vocabulary may have at most {MOST_IDS:,} ids")
    table = [b""] * size
    for text, id in vocabulary.items():
        if id not in specials and id not in plain:
            table[id] = to_bytes(text)
    for id, text in plain.items():
        table[id] = text.encode()
    return table, drop_space


def _vocabulary(description: dict, where: str) -> dict[str, int]:
    vocabulary = description.get("model", {}).get("vocab")
    if isinstance(vocabulary, dict):
        return vocabulary
    if isinstance(vocabulary, list):  # Unigram: [[piece, score], ...]
        return {piece: id for id, (piece, _) in enumerate(vocabulary)}
    raise BadInput(f"{where}: the tokenizer has no vocabulary")


def _decoder_rule(decoder: dict | None, where: str):
    """Return (token text -> bytes, whether the first space of a text is dropped) for the decoders we know."""
    steps = _steps(decoder)
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"]:
        symbols = byte_symbols()
        return (lambda text: _byte_level(text, symbols)), False
    if kinds in ([], ["Fuse"]):
        return str.encode, False
    if kinds == ["Metaspace"]:
        mark = steps[0].get("replacement", "▁")
        drop = steps[0].get("prepend_scheme", "always") != "never" and steps[0].get("add_prefix_space", True)
        return (lambda text: text.replace(mark, " ").encode()), bool(drop)
    if set(kinds) <= {"Replace", "ByteFallback", "Fuse", "Strip"}:  # SentencePiece models, as converted for Llama
        return _sentencepiece_rule(steps, where)
    raise BadInput(f"{where}: decoder {json.dumps(kinds)} cannot give exact text back; use a byte-level tokenizer")


def _steps(decoder: dict | None) -> list[dict]:
    if not isinstance(decoder, dict):  # none, or a form of it that we do not know
        return [] if decoder is None else [{"type": "unknown"}]
    return decoder["decoders"] if decoder.get("type") == "Sequence" else [decoder]


def _byte_level(text: str, symbols: dict[str, int]) -> bytes:
    # An added piece may hold characters outside the alphabet; those stand for themselves.
    if all(symbol in symbols for symbol in text):
        return bytes(symbols[symbol] for symbol in text)
    return text.encode()


def _sentencepiece_rule(steps: list[dict], where: str):
    replaces = [(step["pattern"]["String"], step["content"]) for step in steps if step["type"] == "Replace"]
    falls_back = any(step["type"] == "ByteFallback" for step in steps)
    strips = [step for step in steps if step["type"] == "Strip"]
    if any((step["content"], step["start"], step["stop"]) not in {(" ", 1, 0), (" ", 0, 0)} for step in strips):
        raise BadInput(f"{where}: the decoder strips more than one leading space, so text cannot be given back exactly")

    def to_bytes(text: str) -> bytes:
        byte = _BYTE_TOKEN.fullmatch(text) if falls_back else None
        if byte:
            return bytes([int(byte[1], 16)])
        for old, new in replaces:
            text = text.replace(old, new)
        return text.encode()

    return to_bytes, any(step["start"] == 1 for step in strips)
