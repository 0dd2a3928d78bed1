"""data/historical_offers.csv: older prices with the date of each row, for `--as-of` and price history.

Three collections: the table that stood beside the reference article (2022-10 to 2023-06), the Full
Stack table of 2025 (its rows have no dates of their own: flag `dates_unknown`), and Epoch's price
history. Prices are per accelerator-hour, as published (two decimals, so eight of them need not add
up to the machine's price). A row of two collections is kept once."""

import re

from decimal import Decimal

from common import date_interval, normal_alias, plain, read_csv

COLUMNS = [
    "provider", "sku", "region", "accelerator_id", "accelerator_raw", "count",
    "usd_per_accelerator_hour", "usd_per_hour", "purchase", "observed_earliest",
    "observed_latest", "flags", "source", "revision",
]

PROVIDERS = {
    "aws": "aws", "amazon web services": "aws", "azure": "azure", "microsoft azure": "azure",
    "gcp": "gcp", "google cloud": "gcp", "lambda": "lambda", "lambda labs": "lambda",
    "datacrunch": "verda", "jarvislabs": "jarvislabs", "ovhcloud": "ovhcloud",
    "cudo compute": "cudo", "oblivus cloud": "oblivus", "paperspace": "paperspace",
    "exoscale": "exoscale", "runpod": "runpod", "latitude.sh": "latitude",
    "coreweave": "coreweave", "databricks": "databricks", "fluidstack": "fluidstack",
    "oracle cloud": "oci", "novonimbus": "novonimbus", "dataoorts": "dataoorts",
    "cr8dl": "cr8dl", "salad": "salad", "vast.ai": "vast",
}
PURCHASES = [("on-demand", "ondemand"), ("reserved-1y", "1y"), ("reserved-3y", "3y"),
             ("spot", "spot")]


def instance_of(note):
    """The machine type in a note ('instance NC24ads A100 v4', 'n1-highmem-8'), else nothing."""
    note = re.sub(r"^instance ", "", note.strip())
    return note if re.fullmatch(r"[a-zA-Z]+\d\S*( [A-Z]\S*)*( v\d)?", note) else ""


def build(folder, aliases):
    rows, seen, unknown = [], set(), {}
    sizes = {}  # machine type -> number of accelerators, where a collection says
    for row in read_csv(folder, "economics", "seed_tables", "cloud_gpu_prices_2023q1.csv"):
        if row["source"].startswith("github") and row["instance"] and row["gpu_count"]:
            sizes[instance_of(row["instance"])] = row["gpu_count"]

    def add(provider, raw, sku, region, count, price, instance_price, purchase, date, flags,
            source, revision):
        if not price or Decimal(price) <= 0 or provider.casefold() not in PROVIDERS:
            return
        flags = list(flags)
        name = re.sub(r" GPU only.*", "", raw)
        found = aliases.get(("", normal_alias(name)))
        if not found:
            unknown[raw] = unknown.get(raw, 0) + 1
            return
        if found["ambiguous"] == "1":
            flags.append("form_factor_assumed")
        row = {
            "provider": PROVIDERS[provider.casefold()], "sku": sku, "region": region,
            "accelerator_id": found["accelerator_id"], "accelerator_raw": raw,
            "count": plain(count), "usd_per_accelerator_hour": plain(price),
            "usd_per_hour": plain(instance_price), "purchase": purchase,
            "observed_earliest": date_interval(date)[0],
            "observed_latest": date_interval(date)[1], "flags": ";".join(sorted(flags)),
            "source": source, "revision": revision}
        key = tuple(row[c] for c in ("provider", "sku", "region", "accelerator_raw", "count",
                                     "usd_per_accelerator_hour", "purchase",
                                     "observed_earliest"))
        if key in seen:
            return
        seen.add(key)
        rows.append(row)

    for row in read_csv(folder, "economics", "seed_tables", "cloud_gpu_prices_2023q1.csv"):
        flags = []
        if row["status"].startswith("recalled"):
            flags.append("recalled")
        if "GPU only" in row["gpu"]:
            flags.append("gpu_component")
        if row["source"].startswith("github"):
            source, revision = "fullstack-2023", "0c4a04d"
        elif row["source"] == "recalled":
            source, revision = "recalled", ""
        else:
            source, revision = "epoch-prices", "263c40a"
        for purchase, column in PURCHASES:
            add(row["provider"], row["gpu"], instance_of(row["instance"]) or row["instance"], "",
                row["gpu_count"], row[f"usd_per_gpu_hour_{column}"], "", purchase, row["date"],
                flags, source, revision)

    for row in read_csv(folder, "market", "offers_history_fsdl.csv"):
        add(row["provider"], row["gpu"], row["instance_type"], "", row["gpu_count"],
            row["usd_per_gpu_hour"], row["usd_per_hour_ondemand"], "on-demand", row["date"],
            ["dates_unknown"], "fullstack-2025", "2bddc6d")
        if row["usd_spot"] and row["gpu_count"]:
            per = Decimal(row["usd_spot"]) / Decimal(row["gpu_count"])
            add(row["provider"], row["gpu"], row["instance_type"], "", row["gpu_count"],
                f"{per:.5f}", row["usd_spot"], "spot", row["date"], ["dates_unknown"],
                "fullstack-2025", "2bddc6d")

    for row in read_csv(folder, "economics", "gpu_price_history_epoch.csv"):
        if not row["date"]:
            continue
        flags = ["not_a_sale_price"] if "not a real sale" in row["notes"] else []
        # "gpus" is 1 where the source divided a machine's price: the machine's number counts.
        sku = instance_of(row["notes"])
        count = sizes.get(sku, row["gpus"])
        for purchase, column in PURCHASES[:3]:
            add(row["vendor"], row["hardware"], sku, row["location"], count,
                row[f"usd_per_chip_hour_{column}"], "", purchase, row["date"], flags,
                "epoch-prices", "263c40a")

    rows.sort(key=lambda r: (r["provider"], r["accelerator_id"], r["sku"], r["region"],
                             r["count"], r["purchase"], r["observed_earliest"],
                             r["usd_per_accelerator_hour"], r["source"]))
    print("  history rows left out, accelerator not in the catalogue:",
          ", ".join(f"{name} ({n})" for name, n in sorted(unknown.items())))
    return rows


def check(rows):
    """Goldens of the price spread and of weaker cards (2023-02-01)."""
    february = [Decimal(r["usd_per_accelerator_hour"]) for r in rows
                if r["source"] == "fullstack-2023" and r["purchase"] == "on-demand" and
                r["accelerator_raw"] == "A100 (40 GB)"]
    assert (max(february), min(february)) == (Decimal("4.10"), Decimal("1.10")), february
    for sku, ratio in (("g5.xlarge", "4.06"), ("g5.2xlarge", "3.38"), ("g5.12xlarge", "2.89")):
        (price,) = [Decimal(r["usd_per_accelerator_hour"]) for r in rows
                    if r["source"] == "fullstack-2023" and r["purchase"] == "on-demand" and
                    r["sku"] == sku and r["accelerator_id"] == "a10g"]
        print(f"  A100 / A10G {sku}: 4.10 / {price} = {Decimal('4.10') / price:.3f} "
              f"(expected {ratio})")
