"""Talking with a model that was taught to chat: replies to conversations, and one conversation that grows."""

from collections.abc import Generator, Sequence

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Completion, generate, stream
from linnet.model.decoder import Decoder
from linnet.text.chat import Message, render, reply_ends
from linnet.text.tokenizer import Tokenizer


def replies(
    model: Decoder,
    tokenizer: Tokenizer,
    conversations: Sequence[Sequence[Message]],
    sampling: SamplingConfig,
    batch_size: int = 64,
) -> list[Completion]:
    """Return the model's reply to each conversation; raises BadInput for one that fills the model's context."""
    prompts = [render(tokenizer, messages, reply=True).ids for messages in conversations]
    return generate(model, tokenizer, prompts, sampling, stop_ids=reply_ends(tokenizer), batch_size=batch_size)


def fit(tokenizer: Tokenizer, messages: Sequence[Message], room: int) -> tuple[list[int], int]:
    """Return the ids to reply to, and how many of the oldest messages had to be left out for `room` tokens.

    A system message that comes first stays; what is left begins at a message of the user. Raises BadInput where even
    the last such message is too long.
    """
    system = [*messages[:1]] if messages and messages[0].role == "system" else []
    asked = messages[len(system) :]
    ids: list[int] = []
    for first in [place for place, message in enumerate(asked) if message.role == "user"]:
        ids = render(tokenizer, [*system, *asked[first:]], reply=True).ids
        if len(ids) <= room:
            return ids, first
    raise BadInput(
        f"that message takes {len(ids):,} tokens with what goes around it, and there is room for {room:,}; "
        "say it in fewer words"
    )


class Chat:
    """One conversation with a model; the oldest turns leave its sight when its context is full.

    `dropped` says how many messages of the last question's history the model did not see. Each reply has a seed of
    its own, so that the same question asked twice may get two replies.
    """

    def __init__(self, model: Decoder, tokenizer: Tokenizer, sampling: SamplingConfig, system: str = ""):
        self.model, self.tokenizer, self.sampling = model, tokenizer, sampling
        self.system = system
        self.messages: list[Message] = []
        self.dropped = 0
        self._replies = 0
        context = model.config.context_length
        self._room = max(1, context - min(sampling.max_tokens, context // 2))  # tokens of the conversation

    def reset(self) -> None:
        """Forget what was said, but not the system message."""
        self.messages, self.dropped = [], 0

    def say(self, text: str) -> Generator[str]:
        """Return the pieces of the model's reply to a message, as they come; raises BadInput for one too long.

        A reply that is broken off (the iterator is closed) stays in the conversation as far as it came.
        """
        asked = [*self.messages, Message("user", text)]
        system = [Message("system", self.system)] if self.system else []
        ids, dropped = fit(self.tokenizer, [*system, *asked], self._room)
        self.messages, self.dropped = asked, dropped
        return self._reply(ids)

    def _reply(self, ids: list[int]) -> Generator[str]:
        sampling = self.sampling.but(seed=(self.sampling.seed + self._replies) % 2**32)
        self._replies += 1
        said = ""
        try:
            for event in stream(self.model, self.tokenizer, [ids], sampling, stop_ids=reply_ends(self.tokenizer)):
                said += event.text
                yield event.text
        finally:
            self.messages.append(Message("assistant", said))
