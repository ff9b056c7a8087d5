"""`python -m tests.mutations [NAME…] [--quick]`: does a test see each guard go?"""

import argparse
import sys
from collections.abc import Sequence

from tests.mutations.runner import Refused, Verdict, running_server, try_mutations
from tests.mutations.table import MUTATIONS, Mutation


def choose(names: Sequence[str], *, quick: bool) -> list[Mutation]:
    """Return the mutations that are asked for: by name, the quick ones, or all."""
    unknown = sorted(set(names) - {mutation.name for mutation in MUTATIONS})
    if unknown:
        raise Refused(f"unknown mutation {unknown[0]}: see tests/mutations/table.py")
    return [
        mutation
        for mutation in MUTATIONS
        if (not names or mutation.name in names) and (not quick or mutation.quick)
    ]


def show(verdict: Verdict) -> None:
    """Print a mutation, its seconds, its guard, and the tests that saw it."""
    mutation = verdict.mutation
    print(f"{mutation.name:<38} {verdict.seconds:5.1f} s  {mutation.guard}")
    for test in sorted({*mutation.tests, *verdict.red}):
        seen = "caught by" if test in verdict.red else "SURVIVED"
        print(f"    {seen} {test}")
    if verdict.trouble:
        print(f"    BROKEN {verdict.trouble}")
    sys.stdout.flush()


def main() -> int:
    """Try the mutations; return 1 when one survives or cannot be tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations")
    parser.add_argument("name", nargs="*", help="only these mutations")
    parser.add_argument("--quick", action="store_true", help="only the quick ones")
    asked = parser.parse_args()
    verdicts = []
    try:
        chosen = choose(asked.name, quick=asked.quick)
        with running_server() as server:
            for verdict in try_mutations(chosen, server):
                show(verdict)
                verdicts.append(verdict)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    survivors = [each.mutation.name for each in verdicts if not each.caught]
    caught = len(verdicts) - len(survivors)
    print(f"{caught} of {len(verdicts)} caught; survivors: {survivors or 'none'}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
