"""Byte-level BPE: trained by the `tokenizers` library, or GPT-2's own read from its two files."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.text.token_bytes import byte_symbols

MAX_FILE_BYTES = 64 * 2**20
GPT2_END = "<|endoftext|>"


def build_byte_level(texts: Iterable[str], vocab_size: int, specials: Sequence[str]) -> tuple[str, int]:
    """Train byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2) and return (tokenizer.json text, characters read).

    Before merging each digit is set apart, since sums are learned digit by digit (Nogueira et al. 2021, arXiv
    2102.13019), and the rest is cut by the published GPT-2 pattern: together the cut that SmolLM uses and that a GGUF
    file can name. Pairs seen only once are not merged: on a small corpus the vocabulary may come out smaller than
    `vocab_size`.
    """
    from tokenizers import AddedToken, trainers

    least = 256 + len(specials)
    if vocab_size < least:
        raise BadInput(
            f"a byte-level vocabulary needs at least {least} entries (256 bytes + specials), not {vocab_size}"
        )
    backend = _empty_backend({}, [], digits_apart=True)
    counter = _Counter(texts)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=list(byte_symbols()),
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in specials],
    )
    backend.train_from_iterator(iter(counter), trainer=trainer)
    if not counter.characters:
        raise BadInput("the corpus holds no characters; a tokenizer cannot be trained on it")
    return backend.to_str(pretty=True), counter.characters


def build_gpt2(folder: Path) -> str:
    """Return the tokenizer.json text made from `encoder.json` + `vocab.bpe` (or `vocab.json` + `merges.txt`)."""
    from tokenizers import AddedToken

    vocabulary_file, merges_file = _gpt2_files(folder)
    vocabulary = read_json(vocabulary_file, MAX_FILE_BYTES)
    if not isinstance(vocabulary, dict) or not all(isinstance(id, int) for id in vocabulary.values()):
        raise BadInput(f"{vocabulary_file}: not a vocabulary (an object of token: id)")
    missing = [symbol for symbol in byte_symbols() if symbol not in vocabulary]
    if missing:
        raise BadInput(
            f"{vocabulary_file}: {len(missing)} of the 256 byte symbols are missing; not a byte-level vocabulary"
        )
    try:
        backend = _empty_backend(vocabulary, _read_merges(merges_file))
    except BadInput:
        raise
    except Exception as error:  # tokenizers raises bare Exception, for a merge of unknown pieces
        raise BadInput(f"{merges_file} does not belong to {vocabulary_file.name}: {error}") from None
    if GPT2_END not in vocabulary:
        raise BadInput(f"{vocabulary_file}: {GPT2_END} is missing; not GPT-2's vocabulary")
    backend.add_special_tokens([AddedToken(GPT2_END, special=True, normalized=False)])
    return backend.to_str(pretty=True)


def is_gpt2_pattern(description: dict) -> bool:
    """Say whether a tokenizer.json cuts with GPT-2's pattern, digits set apart or not, and normalises nothing."""
    cut = description.get("pre_tokenizer") or {}
    if cut.get("type") == "Sequence":
        parts = cut.get("pretokenizers") or []
        apart = len(parts) == 2 and parts[0] == {"type": "Digits", "individual_digits": True}
        cut = parts[1] if apart else {}
    plain = cut.get("type") == "ByteLevel" and cut.get("use_regex", True) and not cut.get("add_prefix_space")
    return bool(plain) and description.get("normalizer") is None


def pieces(text: str, size: int) -> Iterator[str]:
    """Cut a long text where GPT-2's pattern always cuts: between a non-space and a following space.

    No match of the pattern holds a space after a non-space, and the pattern looks ahead only from spaces, so the
    ids of the pieces joined are the ids of the whole, also when digits are set apart before. A text with no such
    place stays whole.
    """
    start = 0
    while len(text) - start > size:
        end = next((place for place in range(start + size, len(text)) if _cuts_at(text, place)), len(text))
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _cuts_at(text: str, place: int) -> bool:
    return text[place] in " \n" and text[place - 1].isalnum()


def _empty_backend(vocabulary: dict[str, int], merges: list[tuple[str, str]], digits_apart: bool = False):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    backend = Tokenizer(models.BPE(vocabulary, merges))
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, cut]) if digits_apart else cut
    backend.decoder = decoders.ByteLevel()
    return backend


def _gpt2_files(folder: Path) -> tuple[Path, Path]:
    for names in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        found = folder / names[0], folder / names[1]
        if all(path.is_file() for path in found):
            return found
    raise BadInput(f"{folder}: no encoder.json + vocab.bpe (nor vocab.json + merges.txt, nor tokenizer.json) there")


def _read_merges(path: Path) -> list[tuple[str, str]]:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadInput(
            f"{path}: {path.stat().st_size:,} bytes, more than the {MAX_FILE_BYTES:,} a merges file may have"
        )
    merges = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line or line.startswith("#version"):
            continue
        pair = line.split(" ")
        if len(pair) != 2:
            raise BadInput(f"{path}:{number}: not a merge of two pieces: {line[:60]!r}")
        merges.append((pair[0], pair[1]))
    return merges


class _Counter:
    """Passes texts on and counts their characters, because the trainer keeps no such number."""

    def __init__(self, texts: Iterable[str]):
        self.texts = texts
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for text in self.texts:
            self.characters += len(text)
            yield text


def canonical(description: dict) -> bytes:
    """Return one byte string for a parsed tokenizer.json, the same however the file was laid out."""
    return json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
