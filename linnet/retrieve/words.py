"""The words of a text as a search by words compares them."""

import re
import unicodedata

# Letters and digits with what stands inside a word or number: don't, 3.5, 2-point is two.
WORD = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*")
POSSESSIVE = re.compile(r"['’]s$")
# What makes an English sentence a question and says nothing of what it is about.
ASKING = frozenset((
    "what", "which", "who", "whom", "whose", "where", "when", "why", "how", "do", "does", "did", "is", "are",
    "was", "were", "be", "been", "has", "have", "had", "can", "could", "will", "would", "a", "an", "the", "of",
    "in", "on", "at", "to", "for", "by", "with", "from", "as", "and", "or", "that", "this", "it", "its", "there",
    "many", "much",
))  # fmt: skip
MOST_LETTERS = 64  # a longer run of letters is no word that anybody asks for


def terms(text: str) -> list[str]:
    """Return the words of a text in order: compatibility forms made one (NFKC), case folded, without a final 's."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [POSSESSIVE.sub("", word)[:MOST_LETTERS] for word in WORD.findall(folded)]


def asked_for(words: list[str]) -> list[str]:
    """Return the words of a question that say what it is about; all of them where none does."""
    return [word for word in words if word not in ASKING] or words
