"""The choices of recipes that learn from texts of two sides, hidden tokens or labels; no torch, `--help` reads it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.adapt.config import AdaptConfig
from linnet.core.config import Positional
from linnet.model.config import ModelConfig
from linnet.train.config import PretrainConfig, ScheduleConfig, TrainingConfig, TuningConfig

# A small network of two sides: sinusoids tell the decoder which place of the source it looks at.
TWO_SIDES = ModelConfig(
    kind="encoder_decoder", positions="sinusoidal", context_length=64, num_layers=2, hidden_size=128, num_heads=4
)
BOTH_WAYS = ModelConfig(kind="encoder", context_length=128, num_layers=4, hidden_size=192, num_heads=3)


class Seq2SeqConfig(TrainingConfig):
    """Choices of `linnet seq2seq`."""

    parent: Annotated[Path | None, Positional()] = None
    """Run folder of an encoder-decoder to go on from; without one a new network is made."""
    adapt: AdaptConfig = AdaptConfig()
    """What of a given network learns."""
    data: str = "reversal"
    """Pairs: `reversal` or `sorting` (`:COUNT:SEED`), a mixture as of `linnet sft`, or rows with two columns."""
    source_column: str = "source"
    """Column of the source in own rows."""
    target_column: str = "target"
    """Column of the target in own rows."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.05, gt=0, le=0.5)
    """Share kept out of training, to measure on; of the small world it is its validation split."""
    held_out_split: str = ""
    """Split that is held out instead of a share, where the data has one: `test`, say."""
    tokenizer: str = "characters"
    """A tokenizer's folder or file, or `bpe` or `characters` to train one on the pairs; a parent has its own."""
    vocab_size: int = Field(default=1024, ge=261, le=2**20)
    """Most ids of a tokenizer trained with `bpe`."""
    model: ModelConfig = TWO_SIDES
    """Architecture of a new network; vocab_size is taken from the tokenizer."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each target's probability that is spread over all ids."""
    written: int = Field(default=500, ge=1)
    """Held-out sources whose targets are written freely at the end and graded."""
    samples: int = Field(default=6, ge=0, le=1000)
    """How many of these are shown in samples.md."""
    steps: int = Field(default=400, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=128, ge=1, le=65536)
    """Pairs in a batch."""
    out: Path = Path("runs/seq2seq")
    """Run folder."""


class SummarizeConfig(Seq2SeqConfig):
    """Choices of `linnet summarize`."""

    parent: Annotated[Path | None, Positional()] = None
    """Run folder of a decoder or an encoder-decoder to go on from; without one a new encoder-decoder is made."""
    data: str = "world/dialogues:4000"
    """Dialogues with summaries: of the small world, or `summaries=FOLDER` with SAMSum's columns."""
    tokenizer: str = "bpe"
    """A tokenizer's folder or file, or `bpe` or `characters` to train one on the pairs; a parent has its own."""
    model: ModelConfig = TWO_SIDES.but(context_length=320, num_layers=3, hidden_size=192)
    """Architecture of a new network; vocab_size is taken from the tokenizer."""
    batch_size: int = Field(default=32, ge=1, le=65536)
    """Pairs, or rows of conversations, in a batch."""
    written: int = Field(default=200, ge=1)
    """Held-out dialogues that are summed up at the end and graded by ROUGE, beside what trivial means get."""
    out: Path = Path("runs/summarize")
    """Run folder."""


class MlmConfig(PretrainConfig):
    """Choices of `linnet mlm`."""

    parent: Annotated[Path | None, Positional()] = None
    """Run folder of an encoder to go on from; without one a new network is made."""
    adapt: AdaptConfig = AdaptConfig()
    """What of a given network learns."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of each row's tokens that are to be guessed: 80% of them hidden, 10% replaced, 10% left as they are."""
    model: ModelConfig = BOTH_WAYS
    """The architecture; vocab_size is taken from the tokenizer, and one id more for the mask."""
    schedule: ScheduleConfig = ScheduleConfig(warmup=50)
    """How the learning rate rises and falls."""
    out: Path = Path("runs/mlm")
    """Run folder."""


class ClassifyConfig(TrainingConfig):
    """Choices of `linnet classify`."""

    parent: Annotated[Path | None, Positional()] = None
    """Run folder of a decoder or an encoder to go on from; without one a new network is made."""
    adapt: AdaptConfig = AdaptConfig()
    """What of a given network learns."""
    data: str = "sentiment"
    """A task with classes (`sentiment`, `fake_news=FOLDER`, `liar=FOLDER`), or own rows of text and label."""
    text_column: str = "text"
    """Column of the text in own rows."""
    label_column: str = "label"
    """Column of the label in own rows."""
    split: str = "train"
    """Split to learn from."""
    texts: int = Field(default=4000, ge=2)
    """Most texts to learn from."""
    held_out: float = Field(default=0.2, gt=0, le=0.5)
    """Share kept out of training, where the data has no split to measure on."""
    tokenizer: str = "bpe"
    """A tokenizer's folder or file, or `bpe` or `characters` to train one on the texts; a parent has its own."""
    vocab_size: int = Field(default=1024, ge=261, le=2**20)
    """Most ids of a tokenizer trained with `bpe`."""
    model: ModelConfig = BOTH_WAYS.but(num_layers=2)
    """Architecture of a new network; vocab_size is taken from the tokenizer, output_size from the classes."""
    pooling: Literal["auto", "first", "last", "mean"] = "auto"
    """Whose numbers are those of the row: its first or last token's, or the mean; auto is last for a decoder,
    first for an encoder with a layer before its head (BERT), else the mean."""
    schedule: ScheduleConfig = ScheduleConfig(kind="linear", warmup=20, final=0.0)
    """How the learning rate rises and falls."""
    steps: int = Field(default=300, ge=1)
    """Optimizer steps."""
    out: Path = Path("runs/classify")
    """Run folder."""


class FinetuneConfig(TuningConfig):
    """Choices of `linnet finetune`."""

    corpus: str = "world"
    """Text to learn: a file, folder, glob, JSONL/CSV/Parquet, data-set folder or hub name, or `world/sums:20000`."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the text kept out of training, to measure on."""
    packing: bool = False
    """Fill rows with whole documents that do not see each other, instead of windows of one long text."""
    out: Path = Path("runs/finetune")
    """Run folder."""


class EmbedConfig(TrainingConfig):
    """Choices of `linnet embed`."""

    parent: Annotated[Path | None, Positional()] = None
    """Run folder of a decoder or an encoder to go on from; without one a new network is made."""
    adapt: AdaptConfig = AdaptConfig()
    """What of a given network learns."""
    data: str = "world/questions:20000"
    """Questions with the passages that answer them: of the small world, or rows with the columns question, context."""
    texts: bool = False
    """The data are texts without questions: words of a sentence ask for the passage that it stands in."""
    column: str = "text"
    """With --texts: column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set to learn from."""
    questions: int = Field(default=100_000, ge=4)
    """Most questions to learn from."""
    held_out: float = Field(default=0.05, gt=0, le=0.5)
    """Share of the passages kept out of training, to measure on; of the small world it is its validation split."""
    tokenizer: str = "bpe"
    """A tokenizer's folder or file, or `bpe` or `characters` to train one on the texts; a parent has its own."""
    vocab_size: int = Field(default=2048, ge=261, le=2**20)
    """Most ids of a tokenizer trained with `bpe`."""
    model: ModelConfig = BOTH_WAYS.but(num_layers=2, tie_embeddings=True)
    """Architecture of a new network; vocab_size is taken from the tokenizer."""
    temperature: float = Field(default=0.05, gt=0, le=10)
    """Divides the cosines: the smaller, the more only the nearest wrong passages matter."""
    schedule: ScheduleConfig = ScheduleConfig(kind="linear", warmup=20, final=0.0)
    """How the learning rate rises and falls."""
    steps: int = Field(default=300, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=64, ge=2, le=65536)
    """Questions in a batch: so many passages each is told from."""
    out: Path = Path("runs/embed")
    """Run folder."""
