// Asking the server: models, streamed replies, attention; the key is kept for this tab only.

const KEY = "linnet.key";
let askForKey = async () => null;

export class Refused extends Error {
  constructor(status, message, wait) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

async function call(path, body, signal) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...(body ? { "Content-Type": "application/json" } : {}) };
    const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body ? JSON.stringify(body) : undefined, signal });
    if (answer.ok) return answer;
    if (answer.status === 401) {
      const given = await askForKey();
      if (given) {
        sessionStorage.setItem(KEY, given);
        continue;
      }
    }
    let words = `the server said ${answer.status}`;
    try {
      words = (await answer.json()).error.message;
    } catch {
      // not our server's words: a proxy's, perhaps
    }
    throw new Refused(answer.status, words, answer.headers.get("Retry-After"));
  }
}

export async function models() {
  return (await (await call("/v1/models")).json()).data;
}

export async function attention(body, signal) {
  return (await call("/v1/linnet/attention", body, signal)).json();
}

// Yields {text, tokens, finish, dropped, sources, cited, quoted, usage} for each chunk of a streamed reply.
export async function* reply(path, body, signal) {
  const answer = await call(path, { ...body, stream: true, stream_options: { include_usage: true } }, signal);
  for await (const line of lines(answer.body)) {
    if (!line.startsWith("data: ")) continue;
    const data = line.slice(6);
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(0, chunk.error.message);
    const choice = chunk.choices[0];
    yield {
      text: choice?.delta?.content ?? choice?.text ?? "",
      tokens: tokensOf(choice?.logprobs),
      finish: choice?.finish_reason ?? null,
      dropped: chunk.linnet?.dropped_messages ?? 0,
      sources: chunk.linnet?.sources ?? null,
      cited: chunk.linnet?.cited ?? null,
      quoted: chunk.linnet?.quoted ?? null,
      usage: chunk.usage ?? null,
    };
  }
  throw new Refused(0, "the connection ended before the reply did");
}

// Both of OpenAI's forms become {token, logprob, given, top: [[token, logprob], ...]}.
function tokensOf(told) {
  if (!told) return [];
  if (told.content) {
    return told.content.map((one) => ({ token: one.token, logprob: one.logprob, given: one.given === true, top: one.top_logprobs.map((top) => [top.token, top.logprob]) }));
  }
  return told.tokens.map((token, place) => ({ token, logprob: told.token_logprobs[place], given: false, top: Object.entries(told.top_logprobs[place]) }));
}

async function* lines(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      held += decoder.decode(value, { stream: true });
      const parts = held.split("\n");
      held = parts.pop();
      yield* parts;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
