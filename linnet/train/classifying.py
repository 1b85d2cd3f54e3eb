"""What learning to classify begins with: labelled texts as ids, and a head for the classes on a given or new trunk."""

from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.adapt.heads import with_head
from linnet.batches.labelled import LabelledIds, LabelledRows, encode_texts, row_ends
from linnet.batches.vocabulary import tokenizer_of_texts
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.network import build
from linnet.model.pooling import Pooling, pooled
from linnet.tasks.labelled_texts import Labelled, LabelledTexts, read_labelled
from linnet.text.tokenizer import Tokenizer
from linnet.train.objectives import classification
from linnet.train.precision import Precision
from linnet.train.row_config import ClassifyConfig
from linnet.train.validate import mean_numbers

Given = tuple[Decoder | Encoder, Tokenizer]


@dataclass(frozen=True)
class Classes:
    """Labelled texts as they were read and as batches."""

    texts: LabelledTexts
    tokenizer: Tokenizer
    train: LabelledRows
    held_out: LabelledRows
    cut: int = 0
    """Texts of either side that are longer than the context: what is beyond it nobody reads."""

    def line(self) -> str:
        """Say it in words."""
        more = f"; {self.cut:,} longer than the context, what is beyond it is not read" if self.cut else ""
        return f"{self.texts.line()}{more}"

    def data_hashes(self) -> dict[str, str]:
        """Return the hashes of ids and labels, for run records."""
        return {"train": self.train.hash, "held_out": self.held_out.hash}

    def measure(self, model: Decoder | Encoder, precision: Precision) -> dict[str, float]:
        """Return mean loss and accuracy of the held-out texts."""
        return mean_numbers(model, self.held_out.in_order(), precision, classification)[0]


def read_classes(cfg: ClassifyConfig, given: Given | None) -> Classes:
    """Return the labelled texts that the choices name; raises BadInput."""
    texts = read_labelled(cfg.data, cfg.text_column, cfg.label_column, cfg.split, cfg.texts, cfg.held_out)
    if given is not None:
        tokenizer, context = given[1], given[0].config.context_length
    else:
        shown = texts.train + texts.held_out if cfg.tokenizer == "characters" else texts.train
        tokenizer = tokenizer_of_texts(cfg.tokenizer, (one.text for one in shown), cfg.vocab_size)
        context = cfg.model.context_length
    if context < 3:
        raise BadInput(f"a context of {context} tokens has no room for a text between its first and last token")
    pad_id = row_ends(tokenizer)[1]
    sides, cut = [], 0
    for side in (texts.train, texts.held_out):
        items = _items(side, tokenizer, context)
        full = (one.text for one, item in zip(side, items, strict=True) if len(item.ids) == context)
        cut += sum(len(tokenizer.encode(text)) > context - 2 for text in full)  # others just fit
        sides.append(LabelledRows(items, cfg.batch_size, cfg.seed, pad_id))
    return Classes(texts, tokenizer, sides[0], sides[1], cut)


def network(cfg: ClassifyConfig, classes: Classes, given: Given | None) -> Decoder | Encoder:
    """Return the classifier that learns: a fresh head on the given trunk, or on a new network."""
    draw, count = torch.Generator().manual_seed(cfg.seed), len(classes.texts.names)
    if given is not None:
        config = given[0].config
        if config.output_size == count and config.pooling != "none":  # a classifier already: its head goes on too
            return given[0]
        return with_head(given[0], count, draw, pooling_of(cfg, config))
    if cfg.model.kind == "encoder_decoder":
        raise BadInput("--model.kind encoder_decoder: a classifier is a decoder or an encoder with a head for classes")
    config = cfg.model.but(vocab_size=classes.tokenizer.vocab_size, output_size=count, tie_embeddings=False)
    model = build(config.but(pooling=pooling_of(cfg, config)), draw)
    assert isinstance(model, Decoder | Encoder)
    return model


def pooling_of(cfg: ClassifyConfig, config: ModelConfig) -> Pooling:
    """Return whose numbers are those of the row."""
    if cfg.pooling != "auto":
        return cfg.pooling
    if config.kind == "decoder":
        return "last"  # the only token that has read all of it
    return "first" if config.head_layer != "none" else "mean"


@torch.no_grad()
def probabilities(model: Decoder | Encoder, rows: LabelledRows, precision: Precision) -> Tensor:
    """Return how likely each class is for each text in order, [N, C] float64 on the CPU."""
    was_training = model.training
    model.eval()
    found = []
    for batch in rows.in_order():
        on_device = batch.to(precision.device)
        with precision.autocast():
            logits = model(on_device.ids, lengths=on_device.lengths)
        found.append(pooled(logits, on_device.lengths, model.config.pooling).double().cpu().softmax(-1))
    model.train(was_training)
    return torch.cat(found)


def _items(side: list[Labelled], tokenizer: Tokenizer, context: int) -> list[LabelledIds]:
    rows = encode_texts([one.text for one in side], tokenizer, context)
    return [LabelledIds(ids, one.label) for ids, one in zip(rows, side, strict=True)]
