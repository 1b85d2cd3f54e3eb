"""OpenAI's official client against a real socket: a fixed list of calls."""

import pytest

from tests.serve.material import HELLO, REPLY, base, calculating, documents, live, polite, service_over, talker

openai = pytest.importorskip("openai", reason="OPENAI NOT FOUND: the official client is not tried")


@pytest.fixture(scope="module")
def client():
    service = service_over(polite(), talker(), base(), calculating(), keys=("secret-key",), max_body_bytes=20_000)
    with live(service) as address:
        yield openai.OpenAI(base_url=f"{address}/v1", api_key="secret-key", max_retries=0, timeout=60)


def chat(client, model="polite", **more):
    return client.chat.completions.create(**{"model": model, "messages": HELLO, "temperature": 0, **more})


def test_models(client):
    assert [model.id for model in client.models.list()] == ["polite", "talker", "base", "sums"]
    assert client.models.retrieve("base").owned_by == "linnet"


def test_chat(client):
    done = chat(client)
    assert done.choices[0].message.content == REPLY
    assert done.choices[0].finish_reason == "stop"
    assert done.usage.completion_tokens > 0


def test_stream(client):
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == REPLY
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == chat(client).usage.total_tokens


def test_stop_and_length(client):
    assert chat(client, stop="f").choices[0].message.content == "ca"
    assert chat(client, max_completion_tokens=1).choices[0].finish_reason == "length"


def test_n_and_seed(client):
    sampled = {"model": "talker", "temperature": 1.0, "max_tokens": 12}
    first, second = (chat(client, n=3, seed=7, **sampled) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in second.choices]
    assert len(set(texts)) == 3
    assert chat(client, **sampled).choices[0].message.content != chat(client, **sampled).choices[0].message.content


def test_logprobs(client):
    told = chat(client, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert b"".join(bytes(one.bytes) for one in told) == REPLY.encode()
    assert all(len(one.top_logprobs) == 3 for one in told)
    assert all(one.logprob == one.top_logprobs[0].logprob <= 0 for one in told)
    streamed = [
        one
        for chunk in chat(client, logprobs=True, top_logprobs=3, stream=True)
        if chunk.choices[0].logprobs
        for one in chunk.choices[0].logprobs.content
    ]
    assert [one.token for one in streamed] == [one.token for one in told]


def test_completions(client):
    done = client.completions.create(model="base", prompt=["the", "bird"], max_tokens=5, logprobs=2, temperature=0)
    assert len(done.choices) == 2
    assert len(done.choices[0].logprobs.tokens) == 5
    text = "".join(c.choices[0].text for c in client.completions.create(
        model="base", prompt="the", max_tokens=5, temperature=0, stream=True))  # fmt: skip
    assert text == done.choices[0].text


def test_embeddings(client):
    both = client.embeddings.create(model="base", input=["the bird", "the tree"])  # base64, unless asked otherwise
    plain = client.embeddings.create(model="base", input="the bird", encoding_format="float")
    assert both.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert sum(number**2 for number in plain.data[0].embedding) == pytest.approx(1, abs=1e-5)


def test_the_calculator(client):
    done = chat(client, model="sums", extra_body={"calculator": True})
    assert done.choices[0].message.content.startswith("<<6*7=42>>")


TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    "asked",
    [
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "none"},
        {"tool_choice": "required"},
        {"functions": [TOOL["function"]]},
    ],
)
def test_tools_are_refused_plainly_and_never_dropped(client, asked):
    with pytest.raises(openai.BadRequestError, match="calculator: true") as refused:
        chat(client, **asked)
    assert refused.value.param in ("tools", "tool_choice", "functions")


def test_what_asks_for_no_tool_is_a_plain_chat(client):
    assert chat(client, tools=[], tool_choice="auto").choices[0].message.tool_calls is None


def test_answers_from_documents():
    with live(service_over(polite(context=1024), index=documents())) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60)
        asked = [{"role": "user", "content": "What was quiet by the river?"}]
        done = chat(client, messages=asked, extra_body={"linnet": {"sources": 2}})
        assert done.choices[0].message.content == REPLY
        assert done.linnet["cited"] == [1]
        chunks = list(chat(client, messages=asked, stream=True, extra_body={"linnet": {"sources": 2}}))
        assert chunks[0].linnet["sources"][0]["document"] == "river.txt"
        assert chunks[-1].linnet["in_documents"] is True


def test_a_full_server_says_when_to_come_again():
    with live(service_over(talker(slots=1), slots=1, queue=0)) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=60)
        running = chat(client, model="talker", stream=True, max_tokens=2000)
        next(iter(running))
        with pytest.raises(openai.RateLimitError) as refused:
            chat(client, model="talker")
        assert int(refused.value.response.headers["retry-after"]) >= 1
        running.close()


def test_errors(client):
    with pytest.raises(openai.NotFoundError, match="there are: polite"):
        chat(client, model="gpt-5")
    with pytest.raises(openai.BadRequestError) as refused:
        chat(client, messages=[{"role": "user", "content": "x" * 900}])
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    with pytest.raises(openai.AuthenticationError):
        chat(client.with_options(api_key="wrong"))
    with pytest.raises(openai.APIStatusError, match="more than 20,000 bytes"):
        chat(client, messages=[{"role": "user", "content": "x" * 30_000}])


def test_leaving_a_stream_early(client):
    stream = chat(client, model="talker", stream=True, max_tokens=2000)
    next(iter(stream))
    stream.close()
    assert chat(client).choices[0].message.content == REPLY
