"""The words of a text as a search by words compares them."""

import re
import unicodedata

# Letters and digits with what stands inside a word or number: don't, 3.5, 2-point is two.
WORD = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*")
POSSESSIVE = re.compile(r"['’]s$")
MOST_LETTERS = 64  # a longer run of letters is no word that anybody asks for


def terms(text: str) -> list[str]:
    """Return the words of a text in order: compatibility forms made one (NFKC), case folded, without a final 's."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [POSSESSIVE.sub("", word)[:MOST_LETTERS] for word in WORD.findall(folded)]
