"""Talk to models over HTTP: an OpenAI-compatible server, and the chat page that it shows."""
