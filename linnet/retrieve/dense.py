"""Texts as vectors, by a network of ours: the mean of its last states at length 1."""

from collections.abc import Sequence

import numpy as np
import torch

from linnet.batches.labelled import encode_texts, row_ends
from linnet.batches.source_target import source_batch
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.network import Network
from linnet.model.row_vectors import row_vectors
from linnet.text.tokenizer import Tokenizer

AT_ONCE = 16  # rows in a pass


class Embedder:
    """A network that turns texts into vectors; what is beyond its context is cut off."""

    def __init__(self, model: Network, tokenizer: Tokenizer):
        """Take a decoder or an encoder; raises BadInput for an encoder-decoder."""
        if not isinstance(model, Decoder | Encoder):
            raise BadInput("an encoder-decoder gives texts no vectors here; give an encoder or a decoder")
        self.model, self.tokenizer = model.eval(), tokenizer
        self.size = model.config.hidden_size
        self.room = model.config.context_length - 2  # a token begins and one ends each row

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text takes."""
        return [len(ids) for ids in self.tokenizer.encode_arrays(list(texts))]

    @torch.inference_mode()
    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [N, D] of texts: the same bits whenever the same texts are asked for together."""
        found = np.empty((len(texts), self.size), dtype=np.float32)
        rows = encode_texts(list(texts), self.tokenizer, self.model.config.context_length)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        device, pad_id = self.model.embedding.weight.device, row_ends(self.tokenizer)[1]
        for first in range(0, len(order), AT_ONCE):
            taken = order[first : first + AT_ONCE]
            ids, lengths = source_batch([rows[place] for place in taken], pad_id)
            found[taken] = row_vectors(self.model, ids.to(device), lengths.to(device)).float().cpu().numpy()
        return found
