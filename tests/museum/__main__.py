"""`python -m tests.museum` prints the table of the museum; with `--evidence`, what each invariant finds."""

import argparse

from linnet.prove.proof import verdict
from linnet.prove.verdict import name_of
from tests.museum.gallery import EXHIBITS


def main(words: list[str] | None = None) -> None:
    """Print a row an exhibit: its title, its source and what catches it."""
    parser = argparse.ArgumentParser("tests.museum", description=__doc__)
    parser.add_argument("--evidence", action="store_true", help="prove each exhibit, and say what was found")
    evidence = parser.parse_args(words).evidence
    print("| exhibit | source | caught by |" + (" evidence |" if evidence else ""))
    print("|---|---|---|" + ("---|" if evidence else ""))
    for one in EXHIBITS:
        found = f" {verdict(one.build(True), one.caught_by).evidence} |" if evidence else ""
        print(f"| {one.title} | {one.source} | {name_of(one.caught_by)} |{found}")


if __name__ == "__main__":
    main()
