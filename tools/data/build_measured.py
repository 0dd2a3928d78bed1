#!/usr/bin/env python3
"""Draws the measured points that ship with the program from a folder of collected measurements.

  tools/data/build_measured.py FOLDER [--out data/measured]

FOLDER holds kernels/, serving/, training/ and peers/ in the layout the collectors use. Only the
standard library is needed; running it twice writes the same bytes. The draw is a rule, not a
choice: rows are put into strata (what varies: accelerator, model, engine, operator …), each stratum
is ordered by the SHA-256 of its rows' text, and the first few of each are taken. Nobody looked at
an error while drawing. Whole experiments stay together where a row is the sum of others. Figures
are cut to five significant digits; sources become short ids listed in sources.csv."""

import argparse
import csv
import gzip
import hashlib
import os
import re
import sys
from collections import defaultdict

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from common import read_csv, write_csv  # noqa: E402

# our column: column of the layout that users' files come in. src/measure/shipped.cpp reads it back.
SERVING = {
    "model": "model", "accelerator": "gpu", "accelerators": "gpu_count", "tp": "tp", "pp": "pp",
    "ep": "ep", "precision": "precision", "engine": "engine", "engine_version": "engine_version",
    "load": "scenario", "input_tokens": "input_len", "output_tokens": "output_len",
    "concurrency": "batch_or_concurrency", "offered_per_second": "qps",
    "max_num_seqs": "max_num_seqs", "max_num_batched_tokens": "max_num_batched_tokens",
    "ttft_mean_ms": "ttft_ms_mean", "ttft_p99_ms": "ttft_ms_p99", "tpot_mean_ms": "tpot_ms_mean",
    "e2e_mean_ms": "e2e_ms_mean", "e2e_p99_ms": "e2e_ms_p99",
    "output_tokens_per_second": "out_tok_s", "total_tokens_per_second": "total_tok_s",
    "requests_per_second": "req_s", "notes": "notes"}
CLOSED_LOOP = {
    "model": "model", "accelerator": "system", "engine": "backend",
    "engine_version": "backend_version", "precision": "precision", "mode": "mode",
    "input_tokens": "isl", "output_tokens": "osl", "concurrency": "concurrency",
    "gemm_precision": "gemm_quant", "expert_precision": "moe_quant", "batch": "batch_size",
    "tp": "tp", "pp": "pp", "attention_dp": "attention_dp", "expert_tp": "moe_tp",
    "expert_ep": "moe_ep", "ttft_mean_ms": "measured_ttft_ms", "tpot_mean_ms": "measured_tpot_ms",
    "measured_by": "provenance"}
TRAINING = {
    "model": "model", "parameters_billion": "params_b", "active_billion": "active_params_b",
    "layers": "layers", "hidden": "hidden", "heads": "heads", "kv_heads": "kv_heads", "ffn": "ffn",
    "vocabulary": "vocab", "attention": "attention", "sequence": "seq_len",
    "experts": "moe_experts", "experts_per_token": "moe_topk", "shared_experts": "moe_shared",
    "expert_ffn": "moe_ffn", "accelerator": "gpu", "memory_gb": "gpu_mem_gb",
    "accelerators": "gpus", "tp": "tp", "pp": "pp", "virtual_stages": "vpp", "cp": "cp",
    "ep": "ep", "sharding": "fsdp_or_zero", "microbatch": "microbatch",
    "batch_sequences": "global_batch", "precision": "precision", "recompute": "recompute",
    "task": "task", "framework": "framework", "step_seconds": "step_time_s",
    "tokens_per_second_each": "tokens_s_gpu", "tflops_each": "tflops_gpu",
    "tflops_kind": "tflops_kind", "notes": "notes"}
MEMORY = {
    "model": "model", "parameters_billion": "params_b", "layers": "layers", "hidden": "hidden",
    "heads": "heads", "kv_heads": "kv_heads", "ffn": "ffn", "vocabulary": "vocab",
    "sequence": "seq_len", "accelerator": "gpu", "accelerators": "gpus", "tp": "tp", "pp": "pp",
    "virtual_stages": "vpp", "cp": "cp", "sharding": "zero", "microbatch": "microbatch",
    "batch_sequences": "global_batch", "precision": "precision", "recompute": "recompute",
    "task": "task", "optimizer": "optimizer", "framework": "framework", "quantised": "quant",
    "memory_each": "mem_per_gpu", "unit": "unit", "memory_kind": "mem_kind"}
# The tables' names are catalogue names but for one, which means the part with 2,039 GB/s.
SYSTEMS = {"a100_sxm": "a100-sxm-80gb"}
KERNELS = ["system", "backend", "version", "op", "kernel", "dtype", "kv_dtype"]


def digits(text):
    """Five significant digits of what is a number, anything else as it is."""
    if not re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", text):
        return text
    return f"{float(text):.5g}" if 1e-4 < abs(float(text)) < 1e5 else str(round(float(text), 6))


def key(row):
    return hashlib.sha256("|".join(f"{k}={row[k]}" for k in sorted(row)).encode()).hexdigest()


def quantile(ordered, q):
    """Linear between order statistics."""
    at = q * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def draw(rows, stratum, most):
    """The first `most` rows by hash of every stratum; `most` may depend on the stratum."""
    strata = defaultdict(list)
    for row in rows:
        strata[stratum(row)].append(row)
    out = []
    for name in sorted(strata):
        count = most(name) if callable(most) else most
        out += sorted(strata[name], key=key)[:count]
    return out


class Sources:
    """Short ids for long references; the dates of all rows of one become a range."""

    def __init__(self):
        self.ids, self.dates = {}, defaultdict(set)

    def id(self, prefix, reference, date):
        if reference not in self.ids:
            count = sum(1 for name in self.ids.values() if name.startswith(prefix + "-"))
            self.ids[reference] = f"{prefix}-{count + 1}"
        self.dates[reference] |= set(date.split(".."))
        return self.ids[reference]

    def rows(self):
        return [{"id": name, "source": reference,
                 "date": "..".join(sorted({min(self.dates[reference]), max(self.dates[reference])}))}
                for reference, name in sorted(self.ids.items(), key=lambda x: x[1])]


def day(text):
    """20260213 is 2026-02-13; ranges and months stay."""
    return re.sub(r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3", text)


def renamed(rows, columns, prefix, sources, name="", extra=()):
    out = []
    for number, row in enumerate(rows, 1):
        new = {ours: row[theirs] if ours == "engine_version" else digits(row[theirs])
               for ours, theirs in columns.items()}
        new["point"] = f"{name}{number:03d}"
        new["source"] = sources.id(prefix, row["source"], day(row["date"]))
        new["date"] = day(row["date"])
        new |= dict(extra)
        out.append(new)
    return out


def packed(folder, *parts):
    path = os.path.join(folder, *parts)
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


# --- the sets -------------------------------------------------------------------------------------

def kernels(folder, sources):
    per_file = {"gemm": 3, "context_attention": 2, "generation_attention": 2, "moe": 2, "nccl": 1,
                "custom_allreduce": 1, "context_mla": 1, "generation_mla": 1}
    entries = [e for e in read_csv(folder, "kernels", "manifest.csv") if e["op"] != "op"]
    # Four tables of each operator that is no part of every model, all tables of the others.
    entries = draw(entries, lambda e: e["op"], lambda op: 100 if op in per_file else 4)
    out = []
    for entry in entries:
        rows = packed(folder, "kernels", entry["file"])
        for row in sorted(rows, key=key)[:per_file.get(entry["op"], 1)]:
            shape = ";".join(f"{k}={v}" for k, v in row.items()
                             if k not in KERNELS and k != "latency_ms" and v != "")
            out.append({
                "accelerator": SYSTEMS.get(row["system"], row["system"].replace("_", "-")), "engine": row["backend"],
                "engine_version": row["version"], "operator": row["op"],
                "kernel": row.get("kernel", ""), "format": row.get("dtype", ""),
                "cache_format": row.get("kv_dtype", ""), "shape": shape,
                "microseconds": digits(f"{1000 * float(row['latency_ms']):.6g}"),
                "source": sources.id("kernel", entry["source"].split("/systems/")[0],
                                     day(entry["date"])),
                "date": day(entry["date"])})
    out.sort(key=lambda r: (r["operator"], r["accelerator"], r["engine"], r["shape"]))
    for number, row in enumerate(out, 1):
        row["point"] = f"k{number:03d}"
    return out


def closed_loop(folder, sources):
    rows = packed(folder, "serving", "inferencex_measured.csv.gz")
    peers = {row["id"] for row in packed(folder, "peers", "aic_predictions_on_inferencex.csv.gz")}
    for row in rows:
        row["peer"] = "yes" if row["id"] in peers else "no"
    def stratum(r):
        return (r["mode"], r["model"], r["system"], r["backend"], r["peer"])

    rows = [row for row in rows if row["date"]]
    drawn = draw(rows, stratum, lambda s: 3 if s[0] == "agg" else 1)
    return renamed(drawn, CLOSED_LOOP, "inferencex", sources, "ix"), drawn


def serving(folder, sources):
    out = []
    blis = packed(folder, "serving", "blis_s2r_vllm0151.csv")
    def experiment(row):
        return re.search(r"exp=([^;]*)", row["notes"]).group(1)

    names = sorted({experiment(row) for row in blis}, key=lambda n: hashlib.sha256(n.encode()).hexdigest())
    kept = [row for row in blis if experiment(row) in names[: len(names) * 2 // 3]]
    out.append((renamed(kept, SERVING, "blis", sources, "bl", {"set": "blis"}.items()), kept))
    saturated = (packed(folder, "serving", "trtllm_perf_overview_v017.csv") +
                 packed(folder, "serving", "trtllm_perf_overview_v10.csv"))
    kept = draw(saturated, lambda r: (r["set"], r["model"], r["gpu"], r["precision"]), 2)
    out.append((renamed(kept, SERVING, "trtllm", sources, "tr", {"set": "trtllm"}.items()), kept))
    static = [row for row in packed(folder, "serving", "argonne_llm_inference_bench.csv")
              if "disagree" not in row["notes"]]
    kept = draw(static, lambda r: (r["gpu"], r["engine"]),
                lambda s: 8 if s[1] in ("vLLM", "TensorRT-LLM") else 2)
    out.append((renamed(kept, SERVING, "argonne", sources, "ar", {"set": "argonne"}.items()), kept))
    return out


def training(folder, sources):
    rows = packed(folder, "training", "training_measured.csv")
    rows = [r for r in rows if r["step_time_s"] or r["tokens_s_gpu"] or r["tflops_gpu"]]
    def stratum(r):
        family = " ".join(w for w in r["framework"].split() if not re.match(r"[vr]?\d", w))
        return (family, r["gpu"], r["model"] if "vTrain" not in r["model"] else "GPT",
                r["gpus"] if "vTrain" in r["model"] else "")

    drawn = draw(rows, stratum, lambda s: 4 if s[2] == "GPT" else 1)
    for row in drawn:  # of the notes only what is said of the network
        row["notes"] = "; ".join(p.strip() for p in row["notes"].split(";") if "Gb/s" in p)
    return renamed(drawn, TRAINING, "training", sources, "t")


def memory(folder, sources):
    rows = [r for r in packed(folder, "training", "training_memory_measured.csv")
            if re.fullmatch(r"[\d.]+", r["mem_per_gpu"]) and "analytic" not in r["mem_kind"]]
    drawn = draw(rows, lambda r: (r["framework"], r["task"], r["gpu"], r["model"]), 2)
    return renamed(drawn, MEMORY, "memory", sources, "m")


# --- peers ----------------------------------------------------------------------------------------

def predicted_by_peers(folder, sources, inferencex, served):
    """What peers say of the very points that ship."""
    out = []
    points = {theirs["id"]: ours["point"] for ours, theirs in zip(*inferencex)}
    for row in packed(folder, "peers", "aic_predictions_on_inferencex.csv.gz"):
        if row["id"] in points and row["pred_tpot"]:
            out.append({"peer": "aiconfigurator", "set": "inferencex", "point": points[row["id"]],
                        "ttft_mean_ms": digits(row["pred_ttft"]),
                        "tpot_mean_ms": digits(row["pred_tpot"]),
                        "source": sources.id("peer", row["source"], row["date"]),
                        "date": row["date"]})
    stage = {}
    for ours, theirs in zip(*served[0]):
        notes = dict(p.strip().split("=", 1) for p in theirs["notes"].split(";") if "=" in p)
        if notes.get("stage", "all") != "all" and "OVERLOADED" not in theirs["notes"]:
            stage[notes["exp"], notes["stage"]] = ours["point"]
    wide = defaultdict(dict)
    for row in packed(folder, "peers", "peer_predictions_on_blis_s2r.csv.gz"):
        point = stage.get((row["experiment"], row["stage"]))
        metric = {"ttft_mean": "ttft_mean_ms", "itl_mean": "tpot_mean_ms",
                  "e2e_mean": "e2e_mean_ms"}.get(row["metric"])
        if point and metric and row["predicted_ms"]:
            wide[row["simulator"], point] |= {
                metric: digits(row["predicted_ms"]),
                "source": sources.id("peer", row["source"], row["date"]), "date": row["date"]}
    out += [{"peer": peer, "set": "blis", "point": point} | cells
            for (peer, point), cells in wide.items()]
    return sorted(out, key=lambda r: (r["set"], r["peer"], r["point"]))


def published_by_peers(folder, sources):
    """What peers or runs of theirs report over whole tables, as fractions."""
    out = []

    def add(peer, subject, metric, basis, n, median, mean, p90, bias, reference, date):
        def share(x):
            return "" if x in ("", None) else f"{float(x) / 100:.4g}"
        out.append({"peer": peer, "set": subject[0], "group": subject[1], "metric": metric,
                    "basis": basis, "n": n, "median_ape": share(median), "mean_ape": share(mean),
                    "p90_ape": share(p90), "bias": share(bias),
                    "source": sources.id("peer", reference, date), "date": date})

    for row in packed(folder, "peers", "aic_published_accuracy.csv"):
        if row["workload_isl_osl"] != "ALL":
            continue
        where = "all single-node points" if row["model"] == "ALL" else row["model"]
        for peer, stem in (("aiconfigurator", "aic"), ("aisimulate", "aisimulate")):
            for metric in ("ttft", "tpot"):
                add(peer, ("inferencex", where), f"{metric}_mean", "published",
                    row[f"{stem}_points"], "", row[f"{stem}_{metric}_mape_pct"], "", "",
                    row["source"], row["date"])
    for row in packed(folder, "peers", "aic_reproduced_accuracy.csv"):
        if row["group"] not in ("ALL", "system", "backend"):
            continue
        where = "all" if row["value"] == "ALL" else row["value"]
        for metric in ("ttft", "tpot"):
            add("aiconfigurator", ("inferencex", where), f"{metric}_mean", "reproduced",
                row["points"], row[f"{metric}_median_ape_pct"], row[f"{metric}_mape_pct"],
                row[f"{metric}_p90_ape_pct"], row[f"{metric}_median_bias_pct"], row["source"],
                row["date"])
    for peer, name in (("calculon", "calculon_accuracy_on_measured.txt"),
                       ("llm-analysis", "llm_analysis_accuracy_on_measured.txt")):
        with open(os.path.join(folder, "peers", name), encoding="utf-8") as handle:
            for line in handle:
                found = re.match(r"(\S+) (.*?) +n=(\d+) MAPE ([\d.]+)% median(?:\|e\|)? ([\d.]+)% "
                                 r"p90 ([\d.]+)%.* bias (-?[\d.]+)%", line)
                if not found:
                    continue
                who, what, n, mean, median, p90, bias = found.groups()
                who = "rule of thumb" if who == "naive" else peer
                add(who, ("training", what.strip(" ,")), "step_time", "reproduced", n, median, mean,
                    p90, bias, f"our run of {peer} on the collected training table", "2026-11-22")
    # Simulators publish predictions for whole runs of the open-loop set; their errors follow.
    runs = defaultdict(list)
    for row in packed(folder, "peers", "peer_predictions_on_blis_s2r.csv.gz"):
        if row["stage"] == "-1" and row["predicted_ms"] and float(row["actual_ms"]) > 0:
            runs[row["simulator"], row["metric"], row["source"], row["date"]].append(
                float(row["predicted_ms"]) / float(row["actual_ms"]) - 1)
    for (who, metric, source, date), errors in sorted(runs.items()):
        size = sorted(abs(e) for e in errors)
        add(who, ("blis", "whole runs"), metric, "published", len(errors),
            100 * quantile(size, 0.5), 100 * sum(size) / len(size), 100 * quantile(size, 0.9),
            100 * quantile(sorted(errors), 0.5), source, date)
    unique = {tuple(r.items()): r for r in out}
    return sorted(unique.values(), key=lambda r: (r["set"], r["peer"], r["group"], r["metric"],
                                                  r["basis"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="the folder of collected measurements")
    parser.add_argument("--out", default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "measured"))
    arguments = parser.parse_args()
    folder, out = arguments.folder, arguments.out
    os.makedirs(out, exist_ok=True)
    sources = Sources()
    tail = ["source", "date"]
    write_csv(out, "kernels.csv", ["point", "accelerator", "engine", "engine_version", "operator",
                                   "kernel", "format", "cache_format", "shape", "microseconds"] +
              tail, kernels(folder, sources))
    inferencex = closed_loop(folder, sources)
    write_csv(out, "inferencex.csv", ["point"] + list(CLOSED_LOOP) + tail, inferencex[0])
    served = serving(folder, sources)
    write_csv(out, "serving.csv", ["point", "set"] + list(SERVING) + tail,
              [row for ours, _ in served for row in ours])
    write_csv(out, "training.csv", ["point"] + list(TRAINING) + tail, training(folder, sources))
    write_csv(out, "training_memory.csv", ["point"] + list(MEMORY) + tail, memory(folder, sources))
    write_csv(out, "peer_points.csv", ["peer", "set", "point", "ttft_mean_ms", "tpot_mean_ms",
                                       "e2e_mean_ms"] + tail,
              predicted_by_peers(folder, sources, inferencex, served))
    write_csv(out, "peers.csv", ["peer", "set", "group", "metric", "basis", "n", "median_ape",
                                 "mean_ape", "p90_ape", "bias"] + tail,
              published_by_peers(folder, sources))
    write_csv(out, "sources.csv", ["id", "source", "date"], sources.rows())


if __name__ == "__main__":
    main()
