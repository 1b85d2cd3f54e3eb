"""What can be measured and how, as a config without torch: the options of `linnet evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.core.config import ByCommas, Config, OptionalFloat, OptionalInt, Positional


class EvaluateConfig(Config):
    """Choices of `linnet evaluate`."""

    runs: Annotated[tuple[Path, ...], Positional()] = ()
    """Folders of finished runs: the models; the later ones are compared with the first."""
    corpus: str | None = None
    """Text whose held-out part is measured; by default each run's own."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows of --corpus."""
    split: str = "train"
    """Split of a data set given as --corpus."""
    held_out: OptionalFloat = Field(default=None, ge=0, le=0.5)
    """Share of the text that is held out; by default as in the run."""
    held_out_split: str | None = None
    """Split of --corpus to measure as a whole, such as test."""
    context: OptionalInt = Field(default=None, ge=1)
    """Tokens in a window; by default what the model was trained with."""
    stride: OptionalInt = Field(default=None, ge=1)
    """Tokens from one window to the next; fewer than the context give each token more to go on and take longer."""
    documents: Literal["auto", "stream", "apart"] = "auto"
    """One stream with end tokens between documents, or each by itself; auto is as the run was trained."""
    max_tokens: OptionalInt = Field(default=None, ge=2)
    """Measure only that many tokens; none is all."""
    batch_size: int = Field(default=16, ge=1)
    """Windows at once; changes the speed, not the result."""
    baselines: bool = False
    """Measure gzip, xz and an n-gram model on the same text."""
    ngram_order: int = Field(default=5, ge=1, le=8)
    """Tokens in an n-gram of the baseline."""
    writing: int = Field(default=0, ge=0, le=1_000_000)
    """Stories to sample and check (for models of the small world); 0 is none."""
    temperature: float = Field(default=1.0, ge=0, le=100)
    """Temperature of the stories, and of the replies when there are several --samples."""
    repetition_penalty: float = Field(default=1.0, ge=0.01, le=100)
    """Repetition penalty of the stories, and of the replies when there are several --samples; 1 is off."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the stories, shots and samples."""
    suite: Annotated[tuple[str, ...], ByCommas] = ()
    """Ask tasks instead: names joined by commas, NAME=SOURCE for other rows, world or real for all that --data has."""
    data: str = "world"
    """Rows of the tasks: world[:COUNT[:SEED]], or a folder that holds a folder for each data set."""
    rows: OptionalInt = Field(default=200, ge=1)
    """Rows asked of each task, the first of its test split; none is all."""
    shots: int = Field(default=0, ge=0, le=64)
    """Solved examples before each question."""
    form: Literal["auto", "chat", "plain"] = "auto"
    """Ask in the chat format or by plain prompts; auto asks each model as it was taught."""
    samples: int = Field(default=1, ge=1, le=1024)
    """Replies to each question: one is the likeliest (greedy), several are sampled and also give pass@n."""
    calculator: bool = False
    """Answer the calculations `<<6*7=` that a reply asks for."""
    overlap: int = Field(default=13, ge=0, le=100)
    """A test row is dirty when it shares so many words in a row with the text trained on; 0 does not look."""
    out: Path | None = None
    """Folder of the table of a suite, its picture and the replies; by default `suite` in the first run."""
    csv: Path | None = None
    """Write the table to this CSV file too."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Type of weights and products."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    json_output: bool = Field(default=False, alias="json")
    """Print everything as JSON, protocols included."""
