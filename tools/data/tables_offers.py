"""data/offers.csv: one row per offer and purchase model, prices as exact decimal text, parts as parts.

Nothing is judged here: rows a gate will set aside are kept, and what the collectors suspected
travels as `label:` flags only. Transformations: providers renamed to our ids; a broker's supplier
split off as `upstream`; on-demand and spot apart; GCP machines taken apart into host and GPU with
the component row of the same zone (exact decimals); units normalised to bytes; counts of shared
GPUs as fractions; dates as intervals; countries added where the region tells."""

import re
from decimal import Decimal

from common import GIB, date_interval, normal_alias, plain, read_csv
from places import country_of

COLUMNS = [
    "provider", "upstream", "sku", "region", "zone", "zone_id", "country", "accelerator_id",
    "accelerator_raw", "count", "partition_memory_bytes", "memory_reported_gb", "vcpus",
    "ram_bytes", "components", "usd_per_hour", "purchase", "observed_earliest",
    "observed_latest", "price_scope", "flags", "source", "revision",
]

PROVIDERS = {"verda(datacrunch)": "verda", "do": "digitalocean", "lambdalabs": "lambda"}

SCOPES = {
    "instance": "instance", "gpu_component": "gpu_component",
    "instance_composed(host+gpu)": "composed", "accelerator_slice": "slice",
}

# What the collectors wrote -> what we keep. `label:` marks an opinion, not a gate.
FLAGS = {
    "shape_recalled": "shape_recalled",
    "shape_unknown": "shape_unknown",
    "region_not_availability(catalog lists every type in every region)": "region_not_availability",
    "region_not_availability": "region_not_availability",
    "suspect_ondemand(first_matching_SKU_bug)": "label:suspect_ondemand",
    "spot_gt_ondemand": "label:spot_above_ondemand",
    "spot_eq_ondemand": "label:spot_equals_ondemand",
    "spot_at_10pct_floor": "label:spot_at_floor",
    "spot_price_copied": "label:spot_price_copied",
    "marketplace": "marketplace",
    "catalog_clamps_cpu_mem(32/64)": "host_shape_clamped",
    "spot_column_zero=unknown": "",  # such a price is not in the table at all
    "same_price_copied_across_hosts": "same_price_copied_across_hosts",
    "govcloud": "government_region",
    "bare_metal": "bare_metal",
    "host_part_scaled_from_1g": "host_part_scaled_from_1g",
    "no_region(not orderable now)": "no_region",
    "mem_column_is_gpu_mem_for_H100_A100_rows": "host_memory_unknown",
    "cpu_only": "cpu_only",
    "count_is_chips(=cores/2)": "count_is_chips",
    "catalog_count_is_1": "source_counts_slice_as_one",
    "derived_per_chip": "derived_per_chip",
    "no_ondemand_price(capacity_blocks_only)": "capacity_blocks_only",
    "no_ondemand_price(capacity_blocks_or_other_region)": "capacity_blocks_or_other_region",
    "fractional_gpu": "fractional_gpu",
    "KNOWN_BAD(bid floor imported as price; see skypilot PR 9156)": "label:bid_floor",
    "auction_spot(values look like bid floors)": "label:auction_floor",
}

# Collectors' source texts -> our source ids; data/sources.csv describes each.
SOURCES = {
    "Azure/karpenter-provider-azure:pkg/providers/pricing/zz_generated.pricing.go":
        "karpenter-azure",
    "aws/karpenter-provider-aws:pkg/providers/pricing/zz_generated.pricing_aws.go + "
    "website/content/en/docs/reference/instance-types.md": "karpenter-aws",
    "aws/karpenter-provider-aws:pkg/providers/pricing/zz_generated.pricing_aws.go + "
    "instance-types.md": "karpenter-aws",
    "aws/karpenter-provider-aws:pkg/providers/pricing/zz_generated.pricing_aws_us_gov.go":
        "karpenter-aws-gov",
    "github.com/skypilot-org/skypilot/pull/9156": "skypilot-pr-9156",
}

COUNTS = {"0.3333": "1/3", "0.1667": "1/6", "0.5": "1/2"}

# Canonical names of the collected offers whose form factor or edition is not in the name:
# provider rule first, else the slower part with a flag.
def identify(row, provider, aliases):
    """(accelerator id or '', flags) of one collected row."""
    name, sku, count = row["accelerator"], row["instance_type"], row["gpu_count"]
    if not name:
        return "", []
    if name == "A100-40GB" and provider == "lambda":
        return "a100-pcie-40gb", ["form_factor_from_provider_rule"]
    if name == "A100-40GB":
        return "a100-pcie-40gb", ["form_factor_assumed"]
    if name == "A100-80GB":
        one_gpu = provider == "paperspace" and count == "1"
        return "a100-pcie-80gb", [
            "form_factor_from_provider_rule" if one_gpu else "form_factor_assumed"]
    if name == "RTX-PRO-6000":
        if re.search(r"[_-]W[SK](_|-|$)", sku):
            return "rtx-pro-6000-ws", []
        if provider == "verda":
            return "rtx-pro-6000-server", ["form_factor_from_provider_rule"]
        return "rtx-pro-6000-server", ["form_factor_assumed"]
    if name == "V100-PCIe-32GB":
        return "v100-pcie-32gb", []
    if name == "GH200":
        return ("gh200-96gb" if row["gpu_mem_gb"] in ("", "96") else "gh200-141gb"), []
    if name == "H100-SXM" and row["accelerator_raw"] == "H100-NVLINK":
        return "h100-sxm-80gb", ["form_factor_assumed"]
    found = aliases.get(("", normal_alias(name)))
    return (found["accelerator_id"], []) if found else ("", ["unknown_accelerator"])


def short_source(text):
    if text in SOURCES:
        return SOURCES[text]
    match = re.fullmatch(r"skypilot-org/skypilot-catalog:catalogs/(v\d+)/(\w+)/vms.csv", text)
    assert match, text
    return f"skypilot-{match[1]}-{match[2]}"


def translate_flags(text):
    """(flags, upstream supplier of a broker's offer)."""
    flags, upstream = [], ""
    # The one published flag that holds a semicolon inside its parentheses.
    for flag in filter(None, re.split(r";(?! see)", text)):
        broker = re.fullmatch(r"broker\((.*)\)", flag)
        if broker:
            upstream = PROVIDERS.get(broker[1], broker[1])
        else:
            flags.extend(filter(None, [FLAGS[flag]]))
    return flags, upstream


def zone_columns(provider, zone):
    """AWS publishes zone names and zone ids; they are different things and never mixed."""
    return ("", zone) if provider == "aws" and "-az" in zone else (zone, "")


def real_hosts(folder):
    """Host prices of multi-GPU GCP machines that were published as such:
    (zone, machine) -> (on-demand, spot)."""
    return {(row["AvailabilityZone"], row["InstanceType"]): (row["Price"], row["SpotPrice"])
            for row in read_csv(folder, "market", "fixtures", "skypilot_v9_gcp_vms.csv")
            if row["InstanceType"]}


def build(folder, aliases):
    source_rows = read_csv(folder, "market", "offers_snapshot.csv")
    hosts = real_hosts(folder)
    gpus = {(row["zone"], row["accelerator_raw"]): row for row in source_rows
            if row["price_scope"] == "gpu_component" and row["gpu_count"] == "1"}
    singles = {(row["zone"], row["instance_type"]): row for row in source_rows
               if row["price_scope"].startswith("instance_composed") and row["gpu_count"] == "1"}
    rows = []
    for row in source_rows:
        provider = PROVIDERS.get(row["provider"], row["provider"])
        identity, extra = identify(row, provider, aliases)
        flags, upstream = translate_flags(row["flags"])
        flags += extra
        scope = SCOPES[row["price_scope"]]
        sku = row["instance_type"]
        if scope == "gpu_component":
            sku = row["accelerator_raw"]
        if "derived_per_chip" in flags:
            scope, sku = "derived", row["accelerator_raw"] + "/chip"
        if row["source"] == "github.com/skypilot-org/skypilot/pull/9156":
            flags.append("prices_from_pull_request")
        count = COUNTS.get(row["gpu_count"], row["gpu_count"])
        partition = ""
        if "/" in count:
            top, bottom = count.split("/")
            partition = plain(Decimal(row["gpu_mem_gb"]) * 10**9 * int(top) / int(bottom))
        elif "fractional_gpu" in flags:
            partition = plain(Decimal(row["gpu_mem_gb"]) * GIB)
        ram = plain(Decimal(row["mem_gib"]) * GIB) if row["mem_gib"] else ""
        vcpus = plain(row["vcpus"])
        if "host_shape_clamped" in flags:
            ram = vcpus = ""
        if "host_memory_unknown" in flags and identity.startswith(("h100", "a100")):
            ram = ""
        elif "host_memory_unknown" in flags:
            flags.remove("host_memory_unknown")
        zone, zone_id = zone_columns(provider, row["zone"])
        earliest, latest = date_interval(row["date"])
        base = {
            "provider": provider, "upstream": upstream, "sku": sku, "region": row["region"],
            "zone": zone, "zone_id": zone_id, "country": country_of(provider, row["region"]),
            "accelerator_id": identity,
            "accelerator_raw": row["accelerator_raw"] or row["accelerator"], "count": count,
            "partition_memory_bytes": partition, "memory_reported_gb": plain(row["gpu_mem_gb"]),
            "vcpus": vcpus, "ram_bytes": ram, "observed_earliest": earliest,
            "observed_latest": latest, "price_scope": scope,
            "source": short_source(row["source"]), "revision": row["commit"][:12],
        }
        published = 0
        for purchase, column, index in (("on-demand", "usd_per_hour_ondemand", 0),
                                        ("spot", "usd_per_hour_spot", 1)):
            if not row[column]:
                continue
            published += 1
            price, row_flags = Decimal(row[column]), list(flags)
            if purchase == "spot":  # the suspicion is about the other price
                row_flags = [f for f in row_flags if f != "label:suspect_ondemand"]
            components = f"instance={plain(price)}"
            if scope == "composed":
                gpu = Decimal(gpus[(row["zone"], row["accelerator_raw"])][column])
                one = singles[(row["zone"], re.sub(r"\d+g$", "1g", sku))]
                real = hosts.get((row["zone"], sku))
                n = int(row["gpu_count"])
                assert Decimal(one[column]) * n == price, (sku, row["zone"])
                if real:
                    host = Decimal(real[index])
                    row_flags = [f for f in row_flags if f != "host_part_scaled_from_1g"]
                else:
                    host = (Decimal(one[column]) - gpu) * n
                price = host + gpu * n
                components = f"host={plain(host)};gpu={plain(gpu * n)}"
            elif scope == "gpu_component":
                components = f"gpu={plain(price)}"
            elif scope in ("slice", "derived"):
                components = f"slice={plain(price)}"
            if provider == "mithril" and purchase == "spot":
                purchase = "auction"
            rows.append(base | {"components": components, "usd_per_hour": plain(price),
                                "purchase": purchase, "flags": ";".join(sorted(row_flags))})
        if not published:
            rows.append(base | {"components": "", "usd_per_hour": "", "purchase": "on-demand",
                                "flags": ";".join(sorted(flags))})
    rows.sort(key=lambda r: (r["provider"], r["upstream"], r["sku"], r["region"], r["zone"],
                             r["zone_id"], r["accelerator_id"], r["purchase"]))
    return rows


def check(rows):
    """Figures a reader can recompute by hand; a change in the sources must be noticed here."""
    def price(sku, zone, purchase):
        (row,) = [r for r in rows if r["provider"] == "gcp" and r["sku"] == sku and
                  r["zone"] == zone and r["purchase"] == purchase]
        return row["usd_per_hour"], row["components"]

    assert price("a2-highgpu-1g", "us-central1-a", "on-demand") == (
        "3.67339", "host=0.73948;gpu=2.93391")
    assert price("a2-highgpu-1g", "us-central1-a", "spot") == (
        "1.92802", "host=0.38812;gpu=1.5399")
    assert price("a2-highgpu-8g", "us-central1-a", "on-demand") == (
        "29.3871", "host=5.91582;gpu=23.47128")
    keys = {}
    for row in rows:
        key = tuple(row[c] for c in ("provider", "upstream", "sku", "region", "zone", "zone_id",
                                     "accelerator_id", "count", "purchase", "price_scope"))
        assert key not in keys, key
        keys[key] = row
    # Cheapest and median on-demand USD per GPU-hour over whole machines, labels left out.
    golden = {
        "t4": ("0.53", "1.09"), "l4": ("0.38", "1.39"), "l40s": ("0.38", "1.70"),
        "a100-sxm-80gb": ("0.93", "4.92"), "h100-sxm-80gb": ("1.29", "6.88"),
        "h200-sxm-141gb": ("2.00", "8.19"), "b200-sxm-180gb": ("3.45", "6.89"),
        "b300-sxm-288gb": ("6.99", "7.99"), "mi300x-192gb": ("6.00", "7.50"),
        "rtx-4090": ("0.28", "0.36"), "rtx-5090": ("0.40", "0.53")}
    for identity, expected in golden.items():
        values = sorted(
            Decimal(r["usd_per_hour"]) / int(r["count"]) for r in rows
            if r["accelerator_id"] == identity and r["purchase"] == "on-demand" and
            r["usd_per_hour"] and r["count"].isdigit() and r["count"] != "0" and
            r["price_scope"] in ("instance", "composed") and
            "label:suspect_ondemand" not in r["flags"] and "label:bid_floor" not in r["flags"])
        middle = len(values) // 2
        median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
        got = (f"{values[0]:.2f}", f"{median:.2f}")
        print(f"  {identity}: cheapest {got[0]} median {got[1]} (expected {expected[0]}, "
              f"{expected[1]}), {len(values)} offers")
        if got != expected:
            print("  DIFFERS")
