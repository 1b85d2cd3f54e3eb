"""text: text to ids and back."""
