"""data/api_prices.csv: hosted-API prices in USD per million tokens, exact decimal text, unknown stays empty.

Three feeds are merged row by row, each keeping its own source and date; nothing is averaged. Rows
without any price are kept with the flag `unpriced`: unknown is never 0. Tiers reprice the whole
prompt above a threshold: `above=200000:input=6:output=22.5`, several separated by blanks."""

import re

from common import date_interval, plain, read_csv

COLUMNS = [
    "provider", "model", "hf_id", "context_tokens", "usd_per_mtok_input", "usd_per_mtok_output",
    "usd_per_mtok_cache_read", "usd_per_mtok_cache_write", "usd_per_mtok_batch_input",
    "usd_per_mtok_batch_output", "tiers", "effective_from", "utc_window", "other", "flags",
    "observed_earliest", "observed_latest", "source", "revision",
]

# Providers whose model names are Hugging Face ids.
HF_NAMED = ("together", "huggingface_", "doubleword", "deepinfra", "novita", "hyperbolic",
            "nebius", "groq", "cloudflare")


def tiers_of(inputs, outputs):
    """'>200000:6' and '>200000:22.5' to 'above=200000:input=6:output=22.5'."""
    levels = {}
    for kind, text in (("input", inputs), ("output", outputs)):
        for part in filter(None, re.split(r"[;,\s]+", text)):
            match = re.fullmatch(r">(\d+):([0-9.]+)", part)
            assert match, part
            levels.setdefault(int(match[1]), {})[kind] = plain(match[2])
    return " ".join(
        f"above={level}" + "".join(f":{k}={v}" for k, v in sorted(values.items()))
        for level, values in sorted(levels.items()))


def build(folder):
    market = read_csv(folder, "market", "api_prices_all.csv")
    router = read_csv(folder, "market", "api_models_openrouter.csv")
    small = read_csv(folder, "market", "api_prices.csv")
    known = {row["hf_id"].casefold(): row["hf_id"] for row in router if row["hf_id"]}
    by_router_id = {row["model_id"]: row["hf_id"] for row in router}

    def hf_id(provider, model):
        if provider == "openrouter":
            return by_router_id.get(model, "")
        if model.casefold() in known:
            return known[model.casefold()]
        if provider.startswith(HF_NAMED) and re.fullmatch(r"[\w.-]+/[\w.-]*[A-Z][\w.-]*", model):
            return model
        return ""

    rows = []

    def add(row, date, flags):
        prices = [row[c] for c in COLUMNS if c.startswith("usd_per_mtok_") and row.get(c)]
        if not prices and not row.get("other"):
            flags = flags + ["unpriced"]
        elif prices and all(p == "0" for p in prices):
            flags = flags + ["free"]
        if not date:
            # The copy says no day; all that is known is the day it was collected.
            flags, date = flags + ["undated"], "<=2026-11-22"
        earliest, latest = date_interval(date)
        rows.append(row | {"observed_earliest": earliest, "observed_latest": latest,
                           "flags": ";".join(sorted(set(flags)))})

    for row in market:
        add({
            "provider": row["provider"], "model": row["model"],
            "hf_id": hf_id(row["provider"], row["model"]), "context_tokens": row["context_window"],
            "usd_per_mtok_input": plain(row["input_mtok"]),
            "usd_per_mtok_output": plain(row["output_mtok"]),
            "usd_per_mtok_cache_read": plain(row["cache_read_mtok"]),
            "usd_per_mtok_cache_write": plain(row["cache_write_mtok"]),
            "tiers": tiers_of(row["input_tiers"], row["output_tiers"]),
            "effective_from": row["effective_from"], "utc_window": row["utc_window"],
            "other": row["other_prices"], "source": "genai-prices", "revision": "0.1.8",
        }, row["date"], ["free_tier_variant"] if row["model"].endswith(":free") else [])

    # Batch prices and the reference article's own price exist only in the smaller collection.
    for row in small:
        if row["source"].startswith("npm"):
            continue
        litellm = "litellm" in row["source"].lower()
        batch = re.search(r"batch ([0-9.]+)/([0-9.]+)", row["note"])
        other = re.search(r"priority ([0-9.]+)/([0-9.]+), cache_read_priority ([0-9.]+)",
                          row["note"])
        add({
            "provider": re.sub(r"\(.*\)", "", row["provider"]), "model": re.sub(r" \(.*\)", "", row["model"]),
            "context_tokens": row["context_window"],
            "usd_per_mtok_input": plain(row["usd_per_mtok_input"]),
            "usd_per_mtok_output": plain(row["usd_per_mtok_output"]),
            "usd_per_mtok_cache_read": plain(row["usd_per_mtok_cache_read"]),
            "usd_per_mtok_cache_write": plain(row["usd_per_mtok_cache_write"]),
            "usd_per_mtok_batch_input": plain(batch[1]) if batch else "",
            "usd_per_mtok_batch_output": plain(batch[2]) if batch else "",
            "tiers": tiers_of(row["input_tiers"], row["output_tiers"]),
            "effective_from": row["effective_from"],
            "other": (f"priority_input_mtok={plain(other[1])};"
                      f"priority_output_mtok={plain(other[2])};"
                      f"priority_cache_read_mtok={plain(other[3])}") if other else "",
            "source": "litellm" if litellm else "a16z-article",
            "revision": "00035b6" if litellm else "",
        }, row["date"], [])

    for row in router:
        flags = [f for f in row["flags"].split(";") if f]
        other = [f"{name}={plain(row[column])}" for name, column in
                 (("usd_per_image", "usd_per_image"), ("usd_per_web_search", "usd_per_web_search"))
                 if row[column]]
        variable = "router_negative_price" in flags
        add({
            "provider": "openrouter", "model": row["model_id"], "hf_id": row["hf_id"],
            "context_tokens": row["context_length"],
            "usd_per_mtok_input": "" if variable else plain(row["usd_per_mtok_input"]),
            "usd_per_mtok_output": "" if variable else plain(row["usd_per_mtok_output"]),
            "usd_per_mtok_cache_read": plain(row["usd_per_mtok_cache_read"]),
            "usd_per_mtok_cache_write": plain(row["usd_per_mtok_cache_write"]),
            "other": ";".join(other), "source": "openrouter", "revision": "f3fc692",
        }, row["date"], flags + ["lowest_of_several_providers"])
    rows.sort(key=lambda r: (r["provider"], r["model"], r["source"], r.get("effective_from", ""),
                             r.get("utc_window", "")))
    return rows
