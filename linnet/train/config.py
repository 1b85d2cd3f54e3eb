"""The choices that every training recipe has, spelled alike; no torch here, since `--help` reads it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.adapt.config import AdaptConfig
from linnet.core.config import Config, OptionalInt, Positional, WholeWord
from linnet.model.config import ModelConfig


class OptimizerConfig(Config):
    """How weights follow gradients."""

    kind: Literal["muon", "adamw"] = "muon"
    """Muon for the matrices of the blocks and AdamW for the rest, or AdamW for everything."""
    matrix_lr: float = Field(default=0.02, gt=0)
    """Peak learning rate of Muon."""
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of AdamW: of everything with adamw, of gains, biases and mixes with muon."""
    embedding_lr: float = Field(default=0.1, gt=0)
    """With muon: peak learning rate of the embedding tables."""
    head_lr: float = Field(default=0.01, gt=0)
    """With muon: peak learning rate of the output head."""
    adapter_lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of what --adapt.method adds, always AdamW's; virtual tokens want about 0.03."""
    state_bits: Annotated[Literal[8, 32], WholeWord] = 32
    """Bits of each number that AdamW keeps of a weight, two a weight."""
    momentum: float = Field(default=0.95, ge=0, lt=1)
    """Momentum of Muon."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of AdamW's mean of gradients."""
    beta2: float = Field(default=0.95, ge=0, lt=1)
    """Decay of AdamW's mean of squared gradients."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Added to AdamW's denominator."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled weight decay of the matrices; embeddings, gains and biases are not decayed."""


class ScheduleConfig(Config):
    """How the learning rate rises and falls."""

    kind: Literal["trapezoid", "cosine", "linear", "constant"] = "trapezoid"
    """Flat then a straight fall (trapezoid), half a cosine, a straight fall from the warm-up on, or flat."""
    warmup: int = Field(default=0, ge=0)
    """Steps of straight rise from zero."""
    cooldown: float = Field(default=0.5, ge=0, le=1)
    """Share of all steps in the fall of a trapezoid."""
    final: float = Field(default=0.05, ge=0, le=1)
    """Factor at the last step."""


class TrainingConfig(Config):
    """What every training recipe is asked; a recipe adds its own fields."""

    optimizer: OptimizerConfig = OptimizerConfig()
    """How weights follow gradients."""
    schedule: ScheduleConfig = ScheduleConfig()
    """How the learning rate rises and falls."""
    steps: int = Field(default=500, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=32, ge=1, le=65536)
    """Rows in a batch."""
    accumulate: int = Field(default=1, ge=1, le=65536)
    """Batches summed up in an optimizer step."""
    clip: float = Field(default=1.0, ge=0)
    """Bound of the global gradient norm; 0 is none."""
    balance_weight: float = Field(default=0.01, ge=0)
    """Weight of the load-balancing loss of a mixture of experts."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of weights, data order and dropout."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Type of the matrix products; weights stay fp32."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    compile: bool = False
    """Compile the step with torch.compile: pays when training takes minutes."""
    checkpointing: bool = False
    """Recompute each block in the backward pass: slower, in much less memory."""
    deterministic: bool = False
    """Allow only algorithms that give the same bits every time (for a GPU; on a CPU all are)."""
    prove: bool = True
    """Before 200 steps or more, put the quick invariants of `linnet prove` to the new network: some seconds."""
    log_every: int = Field(default=10, ge=1)
    """Steps between logged numbers."""
    eval_every: int = Field(default=100, ge=0)
    """Steps between held-out losses; 0 is only at the end."""
    eval_tokens: int = Field(default=100_000, ge=1)
    """Held-out tokens measured during training; at the end it is all of them."""
    sample_every: int = Field(default=0, ge=0)
    """Steps between samples in samples.md; 0 is only at the end."""
    save_every: int = Field(default=200, ge=0)
    """Steps between saved states; 0 saves none."""
    keep_every: int = Field(default=0, ge=0)
    """Steps between states that stay when the run is finished, for `linnet replay` to begin from; 0 keeps none."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many evaluations without a better held-out loss and keep the best weights; 0 never stops."""
    overfit_one_batch: bool = False
    """Train on the first batch again and again: a network that cannot learn it by heart is broken."""
    out: Path
    """Run folder."""
    resume: bool = False
    """Go on from the newest saved state, to the same bits as if never stopped."""
    track: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"
    """Where curves go besides metrics.jsonl."""


class PretrainConfig(TrainingConfig):
    """Choices of `linnet pretrain`."""

    corpus: str = "world"
    """Text to learn: a file, folder, glob, JSONL/CSV/Parquet, data-set folder or hub name, or `world`."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the text kept out of training, to measure on."""
    tokenizer: str = "bpe"
    """A tokenizer's folder or file, or `bpe` or `characters` to train one on the corpus."""
    vocab_size: int = Field(default=1024, ge=261, le=2**20)
    """Most ids of a tokenizer trained with `bpe`."""
    model: ModelConfig = ModelConfig()
    """The architecture; vocab_size is taken from the tokenizer."""
    packing: bool = False
    """Fill rows with whole documents that do not see each other, instead of windows of one long text."""
    out: Path = Path("runs/pretrain")
    """Run folder."""


class TuningConfig(TrainingConfig):
    """What every recipe is asked that goes on from a trained model: the rates are gentle, its weights are good."""

    parent: Annotated[Path, Positional()]
    """Run folder of the model to start from."""
    adapt: AdaptConfig = AdaptConfig()
    """What of the model learns."""
    optimizer: OptimizerConfig = OptimizerConfig(
        matrix_lr=0.004, lr=3e-4, embedding_lr=0.02, head_lr=0.002, weight_decay=0.0
    )
    """How weights follow gradients."""
    schedule: ScheduleConfig = ScheduleConfig(kind="linear", warmup=10, final=0.0)
    """How the learning rate rises and falls."""
    steps: int = Field(default=300, ge=1)
    """Optimizer steps."""
    save_every: int = Field(default=100, ge=0)
    """Steps between saved states; 0 saves none."""
    prove: bool = False
    """Before 200 steps or more, put the quick invariants of `linnet prove` to the network: some seconds."""


class SftConfig(TuningConfig):
    """Choices of `linnet sft`."""

    data: str = "world"
    """Conversations: a file, folder or hub name, tasks such as `world/sums:20000`, several joined by +."""
    held_out: float = Field(default=0.05, gt=0, le=0.5)
    """Share kept out of training, to measure on; of the small world it is its validation split."""
    samples: int = Field(default=6, ge=0, le=1000)
    """Held-out questions whose replies before and after are written to samples.md."""
    out: Path = Path("runs/sft")
    """Run folder."""


class DPOConfig(TuningConfig):
    """Choices of `linnet dpo`."""

    pairs: str = "world:8000"
    """Pairs to learn from: `world[:COUNT[:SEED]]`, rows of prompt, chosen and rejected, or `none`."""
    pairs_from: str = ""
    """Make pairs of the model's own right and wrong replies to a task of the small world: `TASK:COUNT[:SEED]`."""
    pairs_by: Literal["answers", "steps"] = "answers"
    """How they are paired: a right and a wrong answer, or the first wrong step of a reply and the same put right."""
    replies: int = Field(default=8, ge=1, le=256)
    """Replies to each question of --pairs-from."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the prompts kept out of training, to measure on; of the small world it is its validation split."""
    held_out_pairs: int = Field(default=500, ge=2)
    """Most held-out pairs of each source."""
    loss: Literal["sigmoid", "ipo", "simpo"] = "sigmoid"
    """DPO's own loss, IPO's (a squared distance, of a mean token), or SimPO's, which has no reference."""
    beta: float = Field(default=0.1, gt=0)
    """How strongly the policy is held to the reference: smaller lets it move more. For SimPO 2 is usual."""
    gamma: float = Field(default=0.5, ge=0)
    """Margin of SimPO."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs that sigmoid takes to be the wrong way round."""
    chosen_weight: float = Field(default=0.0, ge=0)
    """Weight of the plain loss on the chosen reply, beside the pair's: it keeps replies to sums from getting rarer."""
    keep_reference: bool = True
    """Work the reference's log-probabilities out once, before training, instead of in every step."""
    out: Path = Path("runs/dpo")
    """Run folder."""


class GRPOConfig(TuningConfig):
    """Choices of `linnet grpo`."""

    task: str = "sums"
    """Task whose questions are asked and whose grader rewards the replies."""
    source: str = "world:4000"
    """Rows of the task: `world[:COUNT[:SEED]]`, a folder, a file or a hub name."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the questions kept out, to measure on; of the small world it is its validation split."""
    held_out_questions: int = Field(default=200, ge=2)
    """Most held-out questions."""
    batch_size: int = Field(default=128, ge=2, le=65536)
    """Replies in a batch: so many questions as there are groups in it."""
    group: int = Field(default=8, ge=2, le=1024)
    """Replies to a question; each is held against the mean of its group."""
    updates: int = Field(default=1, ge=1, le=64)
    """Batches of gradients from the same replies; more than one is cheaper than new replies, and needs the clipping."""
    temperature: float = Field(default=1.0, gt=0, le=10)
    """Temperature of the replies, and of the policy that learns."""
    max_tokens: OptionalInt = Field(default=None, ge=1)
    """Most tokens of a reply; one that has not ended by then gets no reward. By default the task's."""
    calculator: bool = False
    """Let `<<6*7=` in a reply be answered; what the calculator puts in is not learned."""
    averaging: Literal["constant", "token", "reply"] = "constant"
    """Tokens of a batch count alike (constant: Dr. GRPO; token: DAPO), or each reply counts alike (reply: GRPO)."""
    scale_rewards: bool = False
    """Divide by the standard deviation of a group, as GRPO does and Dr. GRPO does not."""
    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """How far below 1 the ratio to the policy that replied is followed."""
    clip_high: float = Field(default=0.2, gt=0)
    """How far above 1; DAPO takes 0.28."""
    kl_weight: float = Field(default=0.0, ge=0)
    """Weight of the KL to the model it starts from; 0 leaves that out, as Dr. GRPO and DAPO do."""
    steps: int = Field(default=50, ge=1)
    """Optimizer steps."""
    log_every: int = Field(default=1, ge=1)
    """Steps between logged numbers."""
    eval_every: int = Field(default=25, ge=0)
    """Steps between held-out scores; 0 is only at the end."""
    out: Path = Path("runs/grpo")
    """Run folder."""


class VerifierConfig(TuningConfig):
    """Choices of `linnet verifier`."""

    task: str = "sums"
    """Task whose problems are answered and graded."""
    source: str = "world:1500"
    """Where the problems come from: `world[:COUNT[:SEED]]`, a folder, a file or a hub name."""
    split: str = "train"
    """Split of the problems; of the small world validation has calculations that the parent did not train on."""
    problems: int = Field(default=1500, ge=2)
    """Most problems."""
    answers: int = Field(default=8, ge=1, le=1024)
    """Answers of the parent to each problem."""
    temperature: float = Field(default=1.0, gt=0, le=100)
    """Temperature of these answers."""
    calculator: bool = False
    """Let the parent use the calculator in them."""
    candidates: Path | None = None
    """File of judged answers instead: rows of question, solution, is_correct, as another run has or GSM8K's own."""
    held_out: float = Field(default=0.2, gt=0, le=0.5)
    """Share of the problems kept out of training, with all of their answers, to measure on."""
    balance: bool = True
    """Learn from as many right as wrong answers."""
    likelihood: bool = True
    """Take how likely the parent finds an answer as evidence to begin with; without it the score has to do alone."""
    blind: bool = False
    """Leave the problems out: the baseline of what can be told from an answer alone."""
    out: Path = Path("runs/verifier")
    """Run folder."""


class DistillConfig(TrainingConfig):
    """Choices of `linnet distill`."""

    teacher: Annotated[Path, Positional()]
    """Run folder of the model to learn from."""
    parent: Path | None = None
    """Run folder of a student to go on from, of the same tokenizer; without one a new network is made."""
    adapt: AdaptConfig = AdaptConfig()
    """What of a given student learns."""
    student: ModelConfig = ModelConfig()
    """Architecture of a new student; vocab_size and context_length are the teacher's."""
    temperature: float = Field(default=2.0, gt=0, le=100)
    """Divides the logits of both: above 1 shows the student more of what the teacher holds for unlikely."""
    hard: float = Field(default=0.1, ge=0, le=1)
    """Share of the plain loss on the text itself."""
    data: str = ""
    """Conversations to learn on, written as for `linnet sft`; without them the text of --corpus."""
    corpus: str = "world"
    """Text to learn on: a file, folder, glob, JSONL/CSV/Parquet, data-set folder or hub name, or `world`."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share kept out of training, to measure on."""
    packing: bool = False
    """Fill rows with whole documents of --corpus that do not see each other."""
    out: Path = Path("runs/distill")
    """Run folder."""
