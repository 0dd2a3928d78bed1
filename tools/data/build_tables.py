#!/usr/bin/env python3
"""Builds the reviewed tables of data/ from a folder of collected public facts. For developers.

  tools/data/build_tables.py FOLDER [--out data]

FOLDER holds market/, economics/ and kernels/ in the layout the collectors use. Only the standard
library is needed. Running it twice writes the same bytes. What each table changes is said in the
docstring of its module; nothing is judged here: prices that a gate sets aside when the snapshot is
built stay in data/offers.csv, in the open. data/engine_support.csv and data/models.jsonl are kept
by hand and not written here. The script stops if a figure everybody can recompute does not come out
(GCP host + GPU, price spread of 2023) and prints the others beside what is expected."""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tables_accelerators  # noqa: E402
import tables_aliases  # noqa: E402
import tables_api  # noqa: E402
import tables_constants  # noqa: E402
import tables_history  # noqa: E402
import tables_offers  # noqa: E402
import tables_side  # noqa: E402
from common import write_csv  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="the folder of collected facts")
    parser.add_argument("--out", default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "data"))
    arguments = parser.parse_args()
    folder, out = arguments.folder, arguments.out

    accelerators = tables_accelerators.build(folder)
    alias_rows = tables_aliases.build(folder, accelerators)
    aliases = tables_aliases.lookup(alias_rows)
    offers = tables_offers.build(folder, aliases)
    tables_offers.check(offers)
    prices = tables_api.build(folder)
    history = tables_history.build(folder, aliases)
    tables_history.check(history)

    write_csv(out, "accelerators.csv", tables_accelerators.COLUMNS, accelerators)
    write_csv(out, "accelerator_aliases.csv", tables_aliases.COLUMNS, alias_rows)
    write_csv(out, "offers.csv", tables_offers.COLUMNS, offers)
    write_csv(out, "api_prices.csv", tables_api.COLUMNS, prices)
    write_csv(out, "historical_offers.csv", tables_history.COLUMNS, history)
    write_csv(out, "providers.csv", tables_side.PROVIDER_COLUMNS, tables_side.providers(folder))
    write_csv(out, "interconnects.csv", tables_side.INTERCONNECT_COLUMNS,
              tables_side.interconnects(folder, aliases))
    write_csv(out, "egress.csv", tables_side.EGRESS_COLUMNS, tables_side.egress(folder))
    write_csv(out, "constants.csv", tables_constants.COLUMNS, tables_constants.build(folder))
    write_csv(out, "sources.csv", tables_side.SOURCE_COLUMNS,
              tables_side.sources(offers, history, prices))


if __name__ == "__main__":
    main()
