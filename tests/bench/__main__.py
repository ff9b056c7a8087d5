"""`python -m tests.bench`: how fast renewer is, beside others and as things grow."""

from argparse import ArgumentParser
from warnings import filterwarnings

from tests.bench import (
    answers,
    bulk,
    choices,
    cold,
    compare,
    growth,
    heavy,
    workers,
)

MEASURES = {
    "compare": (compare.run, compare.add_options, "renewer and what else would do it"),
    "members": (growth.members, growth.add_options, "ever more members, as many due"),
    "due": (growth.due, growth.add_options, "ever more members due"),
    "ledger": (growth.ledger, growth.add_options, "a ledger that grows"),
    "cold": (cold.run, growth.add_options, "a pass that finds nothing in memory"),
    "workers": (workers.run, workers.add_options, "ever more threads and processes"),
    "answers": (answers.run, answers.add_options, "how long an answer takes"),
    "bulk": (bulk.run, bulk.add_options, "import, backfill, audit, verify"),
    "choices": (choices.run, growth.add_options, "what a setting is worth"),
    "heavy": (heavy.run, growth.add_options, "one member with a very long past"),
}


def main() -> None:
    """Run the measure that is asked for."""
    filterwarnings("ignore")
    parser = ArgumentParser(prog="python -m tests.bench", description=__doc__)
    measures = parser.add_subparsers(dest="measure", required=True)
    for name, (run, add_options, told) in MEASURES.items():
        measure = measures.add_parser(name, help=told, description=run.__doc__)
        add_options(measure)
        measure.set_defaults(run=run)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
