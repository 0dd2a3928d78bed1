#!/usr/bin/env python3
"""Scores predicted accelerator-hours on known training runs, one run left out at a time.

  training_runs.py RUNS.csv PORTOLAN

RUNS.csv: model, publication_date, params, train_datapoints_or_tokens, train_flop, train_time_h,
hardware, quantity (the layout of Epoch AI's list of training runs). Only runs whose FLOP are counted
from operations (within 0.8 to 1.6 times 6·N·D), on one kind of accelerator, of 100M parameters and
more. Each becomes a row of the training layout whose step time is that of the whole run; the
program searches the strategy. Beside it the error of one constant MFU on the same rows.
"""
import csv
import json
import statistics
import subprocess
import sys
import tempfile


def framework(date):
    """The stack a run of that day would have used."""
    if date < "2023-06":
        return "Megatron-LM 2021"
    return "NeMo 24.07" if date < "2025" else "Megatron-Bridge NeMo 25.11"


def maker(run):
    return run["hardware"].split()[0]


def rows(path):
    for run in csv.DictReader(open(path, newline="")):
        try:
            size, tokens, flop = (float(run[k]) for k in
                                  ("params", "train_datapoints_or_tokens", "train_flop"))
            hours, count = float(run["train_time_h"]), float(run["quantity"])
        except ValueError:
            continue
        if size < 1e8 or tokens <= 0 or "," in run["hardware"] or not run["hardware"]:
            continue
        if not 0.8 <= flop / (6 * size * tokens) <= 1.6:
            continue
        sequence = 2048
        batch = 256 if size < 2e9 else 1024 if size < 2e10 else 2048
        batch = -(-batch // int(count)) * int(count)
        steps = flop / (6 * size) / (batch * sequence)
        yield dict(run, sequence=sequence, batch=batch, step=hours * 3600 / steps,
                   mfu_flop=flop / (hours * 3600 * count), size=size, flop=flop)


def main():
    runs = list(rows(sys.argv[1]))
    columns = ("id model params_b gpu gpus seq_len global_batch precision task framework "
               "step_time_s tp pp").split()
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as table, \
            tempfile.NamedTemporaryFile("r", suffix=".csv") as out:
        writer = csv.writer(table)
        writer.writerow(columns)
        for i, run in enumerate(runs):
            writer.writerow([i, "run", run["size"] / 1e9, run["hardware"], int(float(run["quantity"])),
                             run["sequence"], run["batch"], "bf16", "pretrain",
                             framework(run["publication_date"]), run["step"], "", ""])
        table.flush()
        subprocess.run([sys.argv[2], "validate", "--kind", "training", "--data", table.name,
                        "--rows", out.name], check=True, stdout=subprocess.DEVNULL)
        points = {}
        for point in csv.DictReader(open(out.name, newline="")):
            if point["predicted"]:
                points[int(point["label"].rsplit("row ", 1)[1])] = (
                    float(point["predicted"]) / float(point["measured"]))
    scored = [dict(run, ratio=points[i]) for i, run in enumerate(runs) if i in points]
    decades = {}
    for run in scored:
        # The share of a run that is not steps (restarts, evaluations, trials) is that of the other
        # runs, on parts of the same maker where there are three.
        same = [r["ratio"] for r in scored if r is not run and maker(r) == maker(run)]
        others = same if len(same) >= 3 else [r["ratio"] for r in scored if r is not run]
        ours = abs(run["ratio"] / statistics.median(others) - 1)
        same = [r["mfu_flop"] for r in scored if r is not run and r["hardware"] == run["hardware"]]
        flat = abs(run["mfu_flop"] / statistics.median(same) - 1) if same else None
        decade = len(str(int(run["flop"]))) - 1
        decades.setdefault(decade, []).append((ours, abs(run["ratio"] - 1), flat))
        print(f"{run['model'][:30]:30} {run['hardware'][:24]:24} {run['quantity']:>8} "
              f"predicted/measured {run['ratio']:.2f}  left out {ours:.1%}")
    everything = [e for group in decades.values() for e in group]

    def show(name, group):
        flats = [e[2] for e in group if e[2] is not None]
        print(f"{name:12} n {len(group):3}  left out {statistics.median(e[0] for e in group):.1%}  "
              f"as it is {statistics.median(e[1] for e in group):.1%}  one MFU per part "
              f"{statistics.median(flats) if flats else float('nan'):.1%}")

    for decade in sorted(decades):
        show(f"1e{decade} FLOP", decades[decade])
    show("all", everything)
    print(json.dumps({"n": len(everything),
                      "left_out": statistics.median(e[0] for e in everything)}))


main()
