"""Texts as vectors of length 1: the mean of a network's last states, or as somebody else's encoder is used."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from linnet.batches.labelled import encode_texts, row_ends
from linnet.batches.source_target import source_batch
from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.network import Network
from linnet.model.row_vectors import row_vectors
from linnet.retrieve.config import VectorConfig
from linnet.text.tokenizer import Tokenizer

AT_ONCE = 16  # rows in a pass
VECTORS_FILE = "vectors.json"
Load = Callable[[Path], tuple[Network, Tokenizer]]  # linnet.artifacts.load_network


class Embedder:
    """A network that turns texts into vectors; what is beyond its context is cut off."""

    def __init__(self, model: Network, tokenizer: Tokenizer, how: VectorConfig | None = None):
        """Take a decoder or an encoder, and how it is used where that is not our own way.

        Raises BadInput for an encoder-decoder, and for a way that the network has no ids or no room for.
        """
        if not isinstance(model, Decoder | Encoder):
            raise BadInput("an encoder-decoder gives texts no vectors here; give an encoder or a decoder")
        self.model, self.tokenizer, self.how = model.eval(), tokenizer, how
        self.size = model.config.hidden_size
        self.room = model.config.context_length - 2  # a token begins and one ends each row
        if how is not None:
            said = max(self.count([how.question, how.passage]))
            self.room = how.longest - len(how.begin) - len(how.end) - said
            ids = all(0 <= id < model.config.vocab_size for id in (*how.begin, *how.end))
            if not ids or how.longest > model.config.context_length or self.room < 1:
                raise BadInput(f"{VECTORS_FILE}: does not fit the network beside it")

    @classmethod
    def open(cls, folder: Path, load: Load) -> Self:
        """Read a model folder, and how it is used where that is written beside it; errors are those of `load`."""
        path = folder / VECTORS_FILE
        how = VectorConfig.build(read_json(path, 2**20), where=path) if path.is_file() else None
        return cls(*load(folder), how)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes."""
        return [len(ids) for ids in self.tokenizer.encode_arrays(list(texts))]

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str], asked: bool = False) -> np.ndarray:
        """Return float32 [N, D] of passages, or of questions (`asked`), which some networks read another way.

        The same bits whenever the same texts are asked for together.
        """
        found = np.empty((len(texts), self.size), dtype=np.float32)
        rows, pad_id = self._rows(texts, asked)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        device = self.model.embedding.weight.device
        pooling = "mean" if self.how is None else self.how.pooling
        for first in range(0, len(order), AT_ONCE):
            taken = order[first : first + AT_ONCE]
            ids, lengths = source_batch([rows[place] for place in taken], pad_id)
            states = row_vectors(self.model, ids.to(device), lengths.to(device), pooling)
            found[taken] = states.float().cpu().numpy()
        return found

    def _rows(self, texts: Sequence[str], asked: bool) -> tuple[list[tuple[int, ...]], int]:
        """Return texts as ids between those that begin and end a row, and what fills rows up."""
        how = self.how
        if how is None:
            pad_id = row_ends(self.tokenizer)[1]
            return encode_texts(list(texts), self.tokenizer, self.model.config.context_length), pad_id
        before, room = how.question if asked else how.passage, how.longest - len(how.begin) - len(how.end)
        whole = [f"{before}{text}" for text in texts]
        ids = self.tokenizer.encode_arrays([text.lower() for text in whole] if how.lower else whole)
        return [(*how.begin, *one[:room].tolist(), *how.end) for one in ids], 0  # no token sees the padding
