"""The small tables: providers, interconnects, egress, sources."""

import re

from decimal import Decimal

from common import normal_alias, plain, read_csv, scaled

PROVIDER_COLUMNS = [
    "provider", "name", "kind", "delivery_model", "minimum_commitment", "minimum_seconds",
    "billing_quantum", "billing_quantum_seconds", "spot", "multi_node", "stop_resume",
    "discount_programmes", "support_tiers", "price_feed", "recalled_fields", "source", "date",
]
PROVIDER_NAMES = {
    "aws": "Amazon Web Services", "azure": "Microsoft Azure", "gcp": "Google Cloud",
    "oci": "Oracle Cloud Infrastructure", "ibm": "IBM Cloud", "alibaba": "Alibaba Cloud",
    "lambda": "Lambda", "coreweave": "CoreWeave", "nebius": "Nebius", "crusoe": "Crusoe",
    "verda": "Verda (formerly DataCrunch)", "hyperstack": "Hyperstack",
    "fluidstack": "FluidStack", "digitalocean": "DigitalOcean", "paperspace": "Paperspace",
    "vultr": "Vultr", "scaleway": "Scaleway", "ovhcloud": "OVHcloud", "seeweb": "Seeweb",
    "jarvislabs": "Jarvislabs", "hotaisle": "Hot Aisle", "cloudrift": "CloudRift",
    "cudo": "Cudo Compute", "runpod": "RunPod", "vast": "Vast.ai", "salad": "Salad",
    "shadeform": "Shadeform", "primeintellect": "Prime Intellect", "mithril": "Mithril",
    "hyperbolic": "Hyperbolic", "lium": "Lium", "simplepod": "SimplePod", "yotta": "Yotta",
    "modal": "Modal", "together": "Together AI", "fireworks": "Fireworks AI",
    "deepinfra": "DeepInfra", "kubernetes": "your own Kubernetes cluster",
    "slurm": "your own Slurm cluster",
}
QUANTA = {"per second": "1", "per minute": "60", "10 min": "600", "hourly": "3600",
          "hourly/monthly": "3600"}

INTERCONNECT_COLUMNS = [
    "provider", "sku_prefix", "accelerator_id", "accelerators_per_node", "link",
    "link_topology", "link_bytes_per_second_per_direction", "link_domain", "fabric",
    "node_network_bytes_per_second_per_direction", "nics", "rdma", "note", "source", "date",
]
# The collected family, where it is a wording and not the start of a SKU.
FAMILY = {"nebius:gpu-l40s-a/d": ["gpu-l40s-a", "gpu-l40s-d"], "vast:any": [""],
          "gcp:ct5p (v5p)": ["ct5p", "tpu-v5p"], "gcp:ct6e (v6e)": ["ct6e", "tpu-v6e"],
          "aws:u-p6e-gb200x72 (UltraServer)": ["u-p6e-gb200"]}
# Numbers a source gives per link where the table says per accelerator.
TORUS_PER_LINK = {"tpu-v5p": 6, "tpu-v6e": 4}

EGRESS_COLUMNS = ["provider", "destination", "tier", "from_gb", "to_gb", "usd_per_gb", "note",
                  "source", "date"]

SOURCE_COLUMNS = ["source", "title", "path", "rank", "trust", "licence", "note", "date"]


def tri_state(text):
    """yes / no / empty, and what else the cell said."""
    text = text.strip()
    if text.startswith(("yes", "SkyPilot no; dstack yes")):
        return "yes"
    if text.startswith("no"):
        return "no"
    return ""


def providers(folder):
    rows = []
    for row in read_csv(folder, "market", "providers.csv"):
        names = row["provider"].split(" (")[0]
        for identity in names.split("/"):
            recalled = [column for column in row if "(recalled)" in row[column]]
            clean = {k: re.sub(r"\s*\(recalled\)", "", v) for k, v in row.items()}
            if row["source"] == "recalled":
                recalled = ["all"]
            quantum = clean["billing_granularity"]
            minimum = re.match(r"(\d+) s\b", clean["minimum_commitment"])
            stop = clean["stop_resume_in_skypilot"]
            rows.append({
                "provider": identity, "name": PROVIDER_NAMES[identity],
                "kind": "own cluster" if row["kind"] == "own" else row["kind"],
                "delivery_model": clean["delivery_model"],
                "minimum_commitment": clean["minimum_commitment"],
                "minimum_seconds": minimum[1] if minimum else "",
                "billing_quantum": quantum, "billing_quantum_seconds": QUANTA.get(quantum, ""),
                "spot": tri_state(clean["spot"]), "multi_node": tri_state(clean["multi_node"]),
                "stop_resume": tri_state(stop),
                "discount_programmes": clean["discount_programs"],
                "support_tiers": clean["support_tiers"], "price_feed": clean["price_feed"],
                "recalled_fields": ";".join(recalled), "source": row["source"],
                "date": row["date"]})
    rows.sort(key=lambda r: r["provider"])
    return rows


def topology(row, identity):
    link = row["intra_node_link"]
    if link in ("none", "host dependent") or link.startswith("PCIe"):
        return "none"
    if "bridge" in link:
        return "bridge"
    if "mesh" in link or "cube" in row["intra_topology"] or link == "NVLink2":
        return "mesh"
    if "torus" in link or "torus" in row["intra_topology"] or row["intra_topology"] == "ring":
        return "torus"
    return "switched"


def interconnects(folder, aliases):
    rows = []
    for row in read_csv(folder, "market", "interconnect.csv"):
        provider, family = row["provider"], row["instance_family"]
        identity = ""
        if row["accelerator"] != "*":
            identity = aliases[("", normal_alias(row["accelerator"]))]["accelerator_id"]
        link = row["intra_gbytes_per_s_per_dir_per_accel"]
        factor = TORUS_PER_LINK.get(identity, 1)
        network = row["inter_node_gbps_total"]
        rdma = row["rdma"]
        for prefix in FAMILY.get(f"{provider}:{family}", [family]):
            rows.append({
                "provider": provider, "sku_prefix": prefix, "accelerator_id": identity,
                "accelerators_per_node": row["accel_per_node"], "link": row["intra_node_link"],
                "link_topology": topology(row, identity),
                "link_bytes_per_second_per_direction":
                    scaled(plain(Decimal(link) * factor), 10**9) if link else "",
                "link_domain": row["scaleup_domain_size"], "fabric": row["inter_node_fabric"],
                # Gbit/s of the whole node to bytes per second.
                "node_network_bytes_per_second_per_direction": scaled(network, 125000000),
                "nics": row["nics"], "rdma": "yes" if rdma.startswith("yes") else
                ("no" if rdma == "no" else ""),
                "note": row["notes"], "source": row["source"], "date": row["date"]})
    rows.sort(key=lambda r: (r["provider"], r["sku_prefix"], r["accelerator_id"]))
    return rows


def egress(folder):
    rows = []
    for row in read_csv(folder, "market", "egress.csv"):
        if not row["usd_per_gb"]:
            continue
        recalled = row["source"] == "recalled"
        rows.append({
            "provider": row["provider"], "destination": row["destination"], "tier": row["tier"],
            "from_gb": row["from_gb_month"], "to_gb": row["to_gb_month"],
            "usd_per_gb": plain(row["usd_per_gb"]),
            "note": "; ".join(filter(None, [row["notes"], "recalled" if recalled else ""])),
            "source": "recalled" if recalled else "SkyPilot get_egress_cost functions @93a24d4",
            # A recalled figure is dated by the day it was written down.
            "date": row["date"] or "2026-11-22"})
    return rows


def sources(offers, history, prices):
    """One row per source id in use: what it is, how it ranks (1 vendor API … 5 recalled)."""
    known = {
        "karpenter-aws": ("AWS on-demand list prices as bundled by karpenter",
                          "aws/karpenter-provider-aws pkg/providers/pricing/"
                          "zz_generated.pricing_aws.go", "1", "high", "Apache-2.0", ""),
        "karpenter-aws-gov": ("AWS GovCloud on-demand list prices as bundled by karpenter",
                              "aws/karpenter-provider-aws pkg/providers/pricing/"
                              "zz_generated.pricing_aws_us_gov.go", "1", "high", "Apache-2.0", ""),
        "karpenter-azure": ("Azure on-demand list prices as bundled by karpenter",
                            "Azure/karpenter-provider-azure pkg/providers/pricing/"
                            "zz_generated.pricing.go", "1", "high", "Apache-2.0",
                            "machine shapes recalled or unknown, prices complete"),
        "skypilot-pr-9156": ("minimum and reserved prices quoted in a SkyPilot pull request",
                             "skypilot-org/skypilot pull 9156", "3", "low", "facts only",
                             "auction values look like bid floors"),
        "genai-prices": ("genai-prices", "pydantic/genai-prices", "2", "high", "MIT", "dated"),
        "litellm": ("LiteLLM price map", "BerriAI/litellm model_prices_and_context_window.json",
                    "3", "medium", "facts only", "user edited; the stored copy has no date"),
        "openrouter": ("OpenRouter model list", "anomalyco/models.dev models.json", "2", "high",
                       "facts only", "lowest price among the providers behind the router"),
        "a16z-article": ("Navigating the High Cost of AI Compute", "a16z, 2023-04-27", "4",
                         "medium", "facts only", ""),
        "fullstack-2023": ("Full Stack cloud GPU table of February 2023",
                           "the-full-stack/website docs/cloud-gpus/cloud-gpus.csv", "3", "medium",
                           "MIT", ""),
        "fullstack-2025": ("Full Stack cloud GPU table as of March 2025",
                           "the-full-stack/website docs/cloud-gpus/cloud-gpus.csv", "3", "low",
                           "MIT", "rows have no dates of their own"),
        "epoch-prices": ("Epoch AI hardware prices", "epoch-research/training-cost-trends", "2",
                         "medium", "CC-BY-4.0", "Epoch AI"),
        "recalled": ("recalled without a source", "", "5", "low", "facts only", ""),
    }
    low = {"gcp": "host prices high, GPU on-demand low", "mithril": "low before 2026-03-22",
           "vast": "low: one price copied across hosts", "lambda": "medium: every type everywhere"}
    used = {}
    for row in offers + history + prices:
        earliest, latest = row["observed_earliest"], row["observed_latest"]
        old = used.get(row["source"], ("", ""))
        used[row["source"]] = (min(filter(None, [old[0], earliest]), default=""),
                               max(filter(None, [old[1], latest]), default=""))
    rows = []
    for source, (first, last) in sorted(used.items()):
        if source in known:
            title, path, rank, trust, licence, note = known[source]
        else:
            _, version, cloud = source.split("-")
            title = f"SkyPilot catalogue {version}, {cloud}"
            path = f"skypilot-org/skypilot-catalog catalogs/{version}/{cloud}/vms.csv"
            broker = cloud in ("shadeform", "primeintellect")
            rank, licence, note = ("4" if broker else "3"), "facts only", ""
            trust = low.get(cloud, "medium")
        rows.append({"source": source, "title": title, "path": path, "rank": rank,
                     "trust": trust, "licence": licence, "note": note,
                     "date": f"{first}..{last}" if first != last else first})
    return rows
