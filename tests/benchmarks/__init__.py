"""`make bench`: how fast the product is, as ratios to what PostgreSQL itself can do on the same machine.

Each line of the table is one figure with its baseline from the same run, their ratio, the target and
whether it is held. Nothing here is a test: a slow machine fails nothing.

    make bench                          everything, some ten minutes
    SCALE=10 make bench                 ten times the rows
    SCALE=100 ONLY=columns make bench   the column index of 100 million activities, in files alone
    make bench ONLY=recording           modules by the beginning of their name
    make bench JSON=bench1.json         the figures as JSON, too
    python -m tests.benchmarks --markdown bench1.json bench10.json --into docs/performance.md
                                        their table for the docs, with what ten times the rows cost
    python -m tests.benchmarks --draw docs/performance.md
                                        the drawings beside it, after any of its tables has changed

To add lines, put a module into this folder; every function marked with `measures` is found and run, modules and
functions in alphabetical order. It gets a `Bench` and yields `Line`s, made with `at_least`, `at_most`, `within` or `plain`:

    @measures
    def timeline(bench: Bench) -> Iterator[Line]:
        person_id = bench.people(1)[0]
        with bench.queries() as queries: ...
        yield within("queries of a timeline page", len(queries), 10, "queries")

Its server is its own, under var/bench, made anew by every run, with fsync and synchronous_commit on. Unless ONLY is
given, it begins with a log of that scale; what a module writes stays for the modules after it; names of types must
differ. Take the baseline and the figure in turns (`bench.rounds`), so that whatever else the machine does falls on both.
"""

from tests.benchmarks.harness import Bench, Line, at_least, at_most, measures, plain, within

__all__ = ["Bench", "Line", "at_least", "at_most", "measures", "plain", "within"]
