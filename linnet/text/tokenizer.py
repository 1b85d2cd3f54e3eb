"""Text to ids and back: characters, byte-level BPE, GPT-2's vocabulary or any tokenizer.json, behind one class."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from linnet.core.errors import BadInput, nearest
from linnet.core.files import json_text, read_json, write_atomic
from linnet.text import byte_level, characters
from linnet.text.chat_format import ChatFormat
from linnet.text.streaming import StreamDecoder
from linnet.text.token_bytes import token_table

FILE = "tokenizer.json"
METADATA_FILE = "tokenizer_metadata.json"
END, PAD, TURN_START, TURN_END = "<|end|>", "<|pad|>", "<|im_start|>", "<|im_end|>"
SPECIALS = (END, PAD, TURN_START, TURN_END)
# Names other families give to the token between documents, in the order they are looked for.
KNOWN_ENDS = (END, "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>")
KINDS = ("characters", "bpe", "gpt2", "huggingface")
PIECE = 2**16  # characters encoded at once: long texts then use all cores


@dataclass(frozen=True)
class Metadata:
    """What is written beside tokenizer.json; `hash` is the SHA-256 of its content, whatever the layout."""

    kind: str
    vocab_size: int
    trained_characters: int
    end: str | None
    hash: str


class Tokenizer:
    """Encodes and decodes text; never changes after it is made.

    `kind` is "characters", "bpe", "gpt2" or "huggingface". Text never becomes a special token: `encode("<|end|>")`
    gives the ids of those seven characters. Special ids come from `special(name)`, `end_id` and `pad_id` only.
    """

    def __init__(
        self,
        source: str,
        kind: str,
        trained_characters: int = 0,
        end: str | None = None,
        where: str = FILE,
        chat_format: ChatFormat | None = None,
    ):
        """Build from the text of a tokenizer.json; raises BadInput when it cannot be used, naming `where`.

        `chat_format` is how conversations read where that is not linnet's own format (see text/chat.py).
        """
        from tokenizers import Tokenizer as Backend

        try:
            description = json.loads(source)
            self._backend = Backend.from_str(source)
        except Exception as error:  # tokenizers raises bare Exception
            raise BadInput(f"{where}: not a usable tokenizer.json ({error})") from None
        self._backend.encode_special_tokens = True  # special tokens in a text are plain text
        self._backend.no_truncation()
        self._backend.no_padding()
        self._source = source
        self.chat_format = chat_format
        try:
            self._table, self._drop_space = token_table(description, where)
            added = description.get("added_tokens") or []
            self.specials: dict[str, int] = {token["content"]: token["id"] for token in added if token.get("special")}
            self._cuts_like_gpt2 = byte_level.is_gpt2_pattern(description)
            self._spaces_each_run = _spaces_each_run(description)
        except (KeyError, TypeError, AttributeError, IndexError) as error:  # a form that the library lets pass
            raise BadInput(f"{where}: not a usable tokenizer.json ({type(error).__name__}: {error})") from None
        end = end or next((name for name in KNOWN_ENDS if name in self.specials), None)
        digest = hashlib.sha256(byte_level.canonical(description)).hexdigest()
        self.metadata = Metadata(kind, len(self._table), trained_characters, end, digest)

    # Making one

    @classmethod
    def train_characters(cls, texts: Iterable[str], specials: Sequence[str] = SPECIALS) -> Self:
        """Give an id to every character that occurs; ids 0.. are the specials, then code point order."""
        source, count = characters.build_characters(texts, specials)
        return cls(source, "characters", count)

    @classmethod
    def train_bpe(cls, texts: Iterable[str], vocab_size: int, specials: Sequence[str] = SPECIALS) -> Self:
        """Train byte-level BPE with at most `vocab_size` ids, specials (the first ids) and 256 bytes included."""
        source, count = byte_level.build_byte_level(texts, vocab_size, specials)
        return cls(source, "bpe", count)

    @classmethod
    def gpt2(cls, folder: str | Path) -> Self:
        """Read GPT-2's vocabulary from a folder with `encoder.json` + `vocab.bpe`, or with `tokenizer.json`."""
        folder = Path(folder)
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder; GPT-2's vocabulary is read from encoder.json + vocab.bpe there")
        if (folder / FILE).is_file():
            return cls(_read_text(folder / FILE), "gpt2", end=byte_level.GPT2_END, where=str(folder / FILE))
        return cls(byte_level.build_gpt2(folder), "gpt2", end=byte_level.GPT2_END, where=str(folder))

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a tokenizer.json (or the Hugging Face folder that holds it) made by anyone; no metadata is needed."""
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        return cls(_read_text(path), "huggingface", end=_declared_end(path.parent), where=str(path))

    # Saving and loading

    def save(self, folder: str | Path) -> None:
        """Write tokenizer.json, its metadata and a chat format that is not linnet's into a folder, each atomically."""
        folder = Path(folder)
        if self.chat_format is not None:
            self.chat_format.save(folder)
        write_atomic(folder / FILE, self._source)
        write_atomic(folder / METADATA_FILE, json_text(asdict(self.metadata)))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a folder written by `save`, a Hugging Face folder, or GPT-2's two files; a file in it will do too.

        Raises BadInput when the content is not what its metadata says (changed, or another model's).
        """
        folder = Path(folder)
        folder = folder.parent if folder.name in (FILE, METADATA_FILE) else folder
        if folder.is_file():
            return cls.from_file(folder)
        if not (folder / FILE).is_file():
            return cls.gpt2(folder)
        if not (folder / METADATA_FILE).is_file():
            return cls.from_file(folder)
        said, chat_format = _read_metadata(folder / METADATA_FILE), ChatFormat.load(folder)
        source, where = _read_text(folder / FILE), str(folder / FILE)
        tokenizer = cls(source, said.kind, said.trained_characters, said.end, where, chat_format)
        if tokenizer.metadata != said:
            found = f"hash {tokenizer.hash[:12]}, {tokenizer.vocab_size} ids"
            expected = f"hash {said.hash[:12]}, {said.vocab_size} ids"
            raise BadInput(
                f"{folder / FILE}: {found} where {METADATA_FILE} says {expected}; "
                "it was changed or belongs to another model"
            )
        return tokenizer

    # What it is

    @property
    def kind(self) -> str:
        """Return "characters", "bpe", "gpt2" or "huggingface"."""
        return self.metadata.kind

    @property
    def vocab_size(self) -> int:
        """Return the number of ids: the largest one plus one."""
        return self.metadata.vocab_size

    @property
    def hash(self) -> str:
        """Return the SHA-256 (hex) of the content; shards and models carry it to know their tokenizer."""
        return self.metadata.hash

    @property
    def end_id(self) -> int:
        """Return the id put after each document; raises BadInput when the vocabulary has none."""
        if self.metadata.end is None:
            raise BadInput(f"this tokenizer has no token that ends a document; its specials: {list(self.specials)}")
        return self.special(self.metadata.end)

    @property
    def pad_id(self) -> int:
        """Return the id that fills rows up; the end token where there is none (what is padding is never learned)."""
        return self.specials.get(PAD, self.end_id)

    def special(self, name: str) -> int:
        """Return the id of a special token, such as "<|im_start|>"; raises BadInput for an unknown name."""
        if name not in self.specials:
            known = ", ".join(self.specials) or "none"
            raise BadInput(f"no special token {name!r} here.{nearest(name, self.specials)} There are: {known}")
        return self.specials[name]

    def token_bytes(self, id: int) -> bytes:
        """Return the UTF-8 bytes an id stands for; b"" for special tokens."""
        return self._table[self._checked(id)]

    def byte_lengths(self) -> np.ndarray:
        """Return [vocab_size] int64: how many UTF-8 bytes each id stands for (specials 0), for bits per byte."""
        return np.array([len(piece) for piece in self._table], dtype=np.int64)

    # Text to ids

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, special tokens never among them; raises BadInput for what cannot be encoded."""
        return self.encode_array(text).tolist()

    def encode_after(self, text: str, special: bool = False) -> list[int]:
        """Return the ids of a text that goes on after other text, or right after a special token.

        SentencePiece puts a space before a text, and some vocabularies put one after each special token too; where
        other text goes before there is none.
        """
        if not self._drop_space or not text or (special and self._spaces_each_run):
            return self.encode(text)
        before = self.encode("\n")
        found = self.encode("\n" + text)
        if found[: len(before)] != before:
            raise BadInput(f"this vocabulary cannot cut a text that follows another one: {text[:40]!r}")
        return found[len(before) :]

    def cuts_by(self, pattern: str) -> bool:
        """Say whether texts are brought to NFC and cut by just this pattern before pieces are merged, as Qwen does."""
        description = json.loads(self._source)
        cut = description.get("pre_tokenizer") or {}
        patterns = [part.get("pattern", {}).get("Regex") for part in cut.get("pretokenizers", []) if "pattern" in part]
        return patterns == [pattern] and (description.get("normalizer") or {}).get("type") == "NFC"

    def with_chat_format(self, chat_format: ChatFormat | None) -> "Tokenizer":
        """Return this tokenizer with another chat format; none is linnet's own."""
        about = self.metadata
        return Tokenizer(self._source, about.kind, about.trained_characters, about.end, chat_format=chat_format)

    def encode_array(self, text: str) -> np.ndarray:
        """Return the ids of a text as [tokens] int32: the fast way for long texts."""
        return self.encode_arrays([text])[0]

    def encode_arrays(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each text as [tokens] int32, using all cores also for one long text."""
        if self.kind == "characters":
            return [self._characters.encode(text) for text in texts]
        parts = [list(byte_level.pieces(text, PIECE)) if self._cuts_like_gpt2 else [text] for text in texts]
        found = iter(self._encode_all([part for some in parts for part in some]))
        empty = np.zeros(0, dtype=np.int32)
        return [np.concatenate([empty, *(np.array(next(found), dtype=np.int32) for _ in some)]) for some in parts]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; the library uses all cores."""
        if self.kind == "characters":
            return [self.encode(text) for text in texts]
        return self._encode_all(list(texts))

    def _encode_all(self, texts: list[str]) -> list[list[int]]:
        for text in texts:
            _check_text(text)
        try:
            return [found.ids for found in self._backend.encode_batch_fast(texts, add_special_tokens=False)]
        except Exception as error:  # a vocabulary without an unknown token refuses what it does not know
            raise BadInput(f"the text cannot be encoded with this tokenizer: {error}") from None

    @cached_property
    def _characters(self) -> characters.CharacterTable:
        plain = [id for id in range(self.vocab_size) if self._table[id]]
        return characters.CharacterTable({self._table[id].decode(): id for id in plain})

    # Ids to text

    def decode(self, ids: Iterable[int], specials: bool = False) -> str:
        """Return the text of ids; special tokens are left out, or written by name when `specials` is true."""
        names = {id: name.encode() for name, id in self.specials.items()} if specials else {}
        data = b"".join(names.get(id) or self.token_bytes(id) for id in ids)
        text = data.decode("utf-8", errors="replace")
        return text.removeprefix(" ") if self._drop_space else text

    def stream(self, start: bool = True) -> StreamDecoder:
        """Return a decoder for ids that come one by one.

        Set `start` to False when they go on after other text (SentencePiece drops a space only at the start).
        """
        return StreamDecoder(self._table, self._drop_space and start)

    def _checked(self, id: int) -> int:
        if not 0 <= id < len(self._table):
            raise BadInput(
                f"id {id} is not in this vocabulary of {len(self._table):,}; is it another model's tokenizer?"
            )
        return id


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            f"the text holds a lone surrogate (U+{ord(text[error.start]):04X}) at position {error.start:,}, "
            "which is no character; clean the text first"
        ) from None


def _read_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > byte_level.MAX_FILE_BYTES:
            raise BadInput(f"{path}: {size:,} bytes; a tokenizer.json may have at most {byte_level.MAX_FILE_BYTES:,}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); a tokenizer is a folder with {FILE}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not UTF-8, so not a tokenizer.json") from None


def _read_metadata(path: Path) -> Metadata:
    values: Any = read_json(path, max_bytes=2**16)
    fields = Metadata.__annotations__
    if not isinstance(values, dict) or values.keys() != fields.keys():
        raise BadInput(f"{path}: not the metadata of a tokenizer (fields {list(fields)})")
    wrong = [name for name, kind in fields.items() if not isinstance(values[name], kind)]
    if wrong or values["kind"] not in KINDS:
        raise BadInput(f"{path}: not the metadata of a tokenizer (look at {', '.join(wrong) or 'kind'})")
    return Metadata(**values)


def _declared_end(folder: Path) -> str | None:
    """Return the end token a Hugging Face folder declares, in whichever of its two spellings."""
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return None
    values = read_json(path, max_bytes=byte_level.MAX_FILE_BYTES)
    end = values.get("eos_token") if isinstance(values, dict) else None
    return end.get("content") if isinstance(end, dict) else end


def _spaces_each_run(description: dict) -> bool:
    """Say whether a space goes before each run of text between special tokens, and not only before the first."""
    normaliser = description.get("normalizer") or {}
    kinds = [step.get("type") for step in normaliser.get("normalizers", [normaliser])]
    cut = description.get("pre_tokenizer") or {}
    return "Prepend" in kinds or (cut.get("type") == "Metaspace" and cut.get("prepend_scheme", "always") == "always")
