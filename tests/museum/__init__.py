"""The museum: real-world bugs of language models, small, beside their correct twins, and what catches them."""
