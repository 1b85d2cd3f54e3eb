"""A tokenizer.json in the manner of Llama's: SentencePiece's BPE, a space before each text, bytes as a last resort."""

import json
import struct
from pathlib import Path

from linnet.text.tokenizer import Tokenizer

SPACE = "\u2581"


def tokenizer_json(pieces: list[tuple[str, float]]) -> str:
    """Return the file of (piece, score), ids in their order: <unk>, <s>, </s>, 256 bytes, then what is merged."""
    vocabulary = {piece: id for id, (piece, _) in enumerate(pieces)}
    assert len(vocabulary) == len(pieces)
    scores = dict(pieces)
    merges = []
    for piece in vocabulary:
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))] if vocabulary[piece] > 258 else []
        found = [(a, b) for a, b in cuts if a in vocabulary and b in vocabulary]
        merges += sorted(found, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
    merges.sort(key=lambda pair: -scores["".join(pair)])
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    steps = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    before = [
        {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
    ]
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None}
    model |= {
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": True,
        "vocab": vocabulary,
        "merges": merges,
    }
    return json.dumps(
        {
            **{"version": "1.0", "truncation": None, "padding": None},
            "added_tokens": [
                {"id": id, "content": name, **special} for id, name in enumerate(("<unk>", "<s>", "</s>"))
            ],
            "normalizer": {"type": "Sequence", "normalizers": before},
            "pre_tokenizer": None,
            "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": steps},
            "model": model,
        }
    )


def of_llama2_c(path: Path) -> str:
    """Return the tokenizer.json of llama2.c's own file: (score, length, bytes) after the length of the longest."""
    data, at, pieces = path.read_bytes(), 4, []
    while at < len(data):
        score, length = struct.unpack_from("<fi", data, at)
        text = data[at + 8 : at + 8 + length].decode()
        pieces.append((text.replace(" ", SPACE), score))
        at += 8 + length
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    return tokenizer_json([(name, 0.0) for name in names] + pieces[259:])


def small() -> Tokenizer:
    """Return a little one that knows some words and the marks of a chat."""
    letters = sorted(set("Mia gave the red ball to Tom. user system assistant <|>") - {" "})
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    merged = [f"{SPACE}t", f"{SPACE}th", f"{SPACE}the", "er", "us", "user", f"{SPACE}M", "ia", f"{SPACE}Mia"]
    pieces = [(name, 0.0) for name in (*names, SPACE, *letters)]
    pieces += [(piece, -float(rank)) for rank, piece in enumerate(merged, start=1)]
    return Tokenizer(tokenizer_json(pieces), "huggingface", end="</s>")
