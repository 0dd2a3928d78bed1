"""data/accelerators.csv: one row per accelerator, units in the column names, lower figure first.

Where sources disagree the lower rate or capacity is the planning figure and the disagreement is
kept in `conflicts`. Memory is what the device reports where that is known (`memory_basis` reported),
else the marketing label in decimal gigabytes, which is always the smaller reading (`label`)."""

from decimal import Decimal

from common import MIB, plain, read_csv, scaled

COLUMNS = [
    "id", "vendor", "name", "kind", "architecture", "form_factor", "planned", "announced",
    "memory_bytes", "memory_basis", "memory_label_bytes", "memory_type",
    "memory_bytes_per_second",
    "fp64_flop_per_second", "fp64_tensor_flop_per_second", "fp32_flop_per_second",
    "tf32_flop_per_second", "bf16_flop_per_second", "fp16_flop_per_second",
    "fp8_flop_per_second", "fp6_flop_per_second", "fp4_flop_per_second",
    "int8_op_per_second", "int4_op_per_second", "sparse_multiplier",
    "measured_bf16_flop_per_second", "measured_fp8_flop_per_second",
    "tdp_watts",
    "link", "link_topology", "link_bytes_per_second_per_direction",
    "link_peer_bytes_per_second_per_direction", "link_domain",
    "pcie_generation", "pcie_bytes_per_second_per_direction",
    "compute_capability", "sm_count", "tensor_cores", "flop_per_cycle_per_core",
    "boost_clock_hz", "devices_per_board",
    "release_date", "launch_price_usd",
    "conflicts", "recalled_fields", "note", "source", "date",
]

# Memory that the driver or the cloud reports, MiB.
REPORTED_MIB = {
    "h100-pcie-80gb": 81559, "h100-sxm-80gb": 81559, "h800-sxm-80gb": 81559,
    "h100-nvl-94gb": 95830, "h200-sxm-141gb": 143771, "h200-nvl-141gb": 143771,
    "b200-sxm-180gb": 183359, "gb200": 189471, "b300-sxm-288gb": 275040, "l40s": 45776,
    "a100-pcie-80gb": 81920, "a100-sxm-80gb": 81920,
}

# Planning figure where sources disagree: (source column, lower value, the sentence that says so).
LOWER = {
    "b200-sxm-180gb": [("mem_bw_gbs", "7700", "memory bandwidth 7.7 (HGX datasheet) or 8.0 TB/s")],
    "b300-sxm-288gb": [
        ("mem_bw_gbs", "7750", "memory bandwidth 7.75 (aiconfigurator) or 8.0 TB/s"),
        ("fp4_tflops", "12600", "dense fp4 12.6, 13.5, 14 or 15 PFLOP/s")],
    "h100-pcie-80gb": [("mem_bw_gbs", "2000", "memory bandwidth 2.00 or 2.039 TB/s")],
    "mi355x-288gb": [
        ("bf16_tflops", "2300", "bf16 2300 or 2500 TFLOP/s"),
        ("fp16_tflops", "2300", "fp16 2300 or 2500 TFLOP/s"),
        ("fp8_tflops", "4600", "fp8 4600 or 5000 TFLOP/s"),
        ("fp6_tflops", "9200", "fp6 9200 or 10066 TFLOP/s"),
        ("fp4_tflops", "9200", "fp4 9200 or 10066 TFLOP/s")],
    "rtx-pro-6000-server": [
        ("bf16_tflops", "467.8", "bf16 467.8 (computed by aiconfigurator) or 468 TFLOP/s"),
        ("fp16_tflops", "467.8", "fp16 467.8 or 468 TFLOP/s")],
}

ANNOUNCED = {"rubin-sxm", "mi455x-432gb"}

# Streaming multiprocessors (NVIDIA) or compute units (AMD). `True` where a source gives the figure.
SM_COUNT = {
    "a100-pcie-40gb": (108, True), "a100-pcie-80gb": (108, True), "a100-sxm-40gb": (108, True),
    "a100-sxm-80gb": (108, True), "h100-sxm-80gb": (132, True), "h200-sxm-141gb": (132, True),
    "b200-sxm-180gb": (148, True), "l40s": (142, True), "rtx-pro-6000-server": (188, True),
    "rtx-pro-6000-ws": (188, True),
    "v100-pcie-16gb": (80, False), "v100-sxm2-16gb": (80, False), "v100-sxm2-32gb": (80, False),
    "p100-pcie-16gb": (56, False), "p100-sxm2-16gb": (56, False), "t4": (40, False),
    "a10": (72, False), "a30": (56, False), "a40": (84, False), "l4": (58, False),
    "l40": (142, False), "h100-pcie-80gb": (114, False), "h100-nvl-94gb": (132, False),
    "h800-sxm-80gb": (132, False), "h20-96gb": (78, False), "h200-nvl-141gb": (132, False),
    "gh200-96gb": (132, False), "gh200-141gb": (132, False), "rtx-3080ti": (80, False),
    "rtx-3090": (82, False), "rtx-3090ti": (84, False), "rtx-4090": (128, False),
    "rtx-5090": (170, False), "rtx-a4000": (48, False), "rtx-a5000": (64, False),
    "rtx-a6000": (84, False), "rtx-6000-ada": (142, False), "mi300x-192gb": (304, False),
    "mi325x-256gb": (304, False), "mi250x-128gb": (220, False), "mi210-64gb": (104, False),
    "mi350x-288gb": (256, False), "mi355x-288gb": (256, False),
}

# tensor cores, dense fp16 FLOP per cycle and core, boost clock Hz: the product is the datasheet
# peak (A100 311.87e12, V100 125.3e12, H100 SXM 989.4e12; that clock is unverified).
MICRO = {
    "a100-pcie-40gb": (432, 512, 1410000000), "a100-pcie-80gb": (432, 512, 1410000000),
    "a100-sxm-40gb": (432, 512, 1410000000), "a100-sxm-80gb": (432, 512, 1410000000),
    "v100-sxm2-16gb": (640, 128, 1530000000), "v100-sxm2-32gb": (640, 128, 1530000000),
    "h100-sxm-80gb": (528, 1024, 1830000000),
}

CAPABILITY = {
    "pascal": "6.0", "volta": "7.0", "turing": "7.5", "ada": "8.9", "hopper": "9.0",
    "blackwell": "10.0", "blackwell-ultra": "10.3",
}
AMPERE_DATACENTRE = {"a100-pcie-40gb", "a100-pcie-80gb", "a100-sxm-40gb", "a100-sxm-80gb", "a30"}

# PCIe x16, bytes per second and direction after line coding.
PCIE = {"3": "15750000000", "4": "31500000000", "5": "63000000000", "6": "121000000000"}

# Links of a torus: the source gives one link where `per_link`, the chip's total elsewhere.
TORUS_LINKS = {"tpu-v3": (4, True), "tpu-v4": (6, True), "tpu-v5e": (4, True),
               "tpu-v5p": (6, True), "tpu-v6e": (4, True), "tpu-v7": (6, False)}
MESH_PEER_GBS = {"mi300x-192gb": "64", "mi325x-256gb": "64", "mi350x-288gb": "76.5",
                 "mi355x-288gb": "76.5", "gaudi2-96gb": "37.5", "gaudi3-128gb": "75"}

# Known from offers and price history, not modelled: listed and priced, never planned on.
NOT_MODELLED = [
    # id, vendor, name, architecture, form factor, memory GB, kind
    ("m60", "nvidia", "Tesla M60 (per GPU)", "maxwell", "pcie", "8", "gpu"),
    ("quadro-rtx-6000", "nvidia", "Quadro RTX 6000 24GB", "turing", "pcie", "24", "gpu"),
    ("quadro-rtx-5000", "nvidia", "Quadro RTX 5000 16GB", "turing", "pcie", "16", "gpu"),
    ("quadro-rtx-4000", "nvidia", "Quadro RTX 4000 8GB", "turing", "pcie", "8", "gpu"),
    ("quadro-p4000", "nvidia", "Quadro P4000 8GB", "pascal", "pcie", "8", "gpu"),
    ("p4", "nvidia", "Tesla P4 8GB", "pascal", "pcie-lp", "8", "gpu"),
    ("k80", "nvidia", "Tesla K80 (per GPU)", "kepler", "pcie", "12", "gpu"),
    ("t4g", "nvidia", "T4G (AWS Graviton hosts)", "turing", "pcie-lp", "16", "gpu"),
    ("rtx-3060", "nvidia", "GeForce RTX 3060", "ampere", "pcie", "12", "gpu"),
    ("rtx-3060ti", "nvidia", "GeForce RTX 3060 Ti", "ampere", "pcie", "8", "gpu"),
    ("rtx-3070", "nvidia", "GeForce RTX 3070", "ampere", "pcie", "8", "gpu"),
    ("rtx-3080", "nvidia", "GeForce RTX 3080", "ampere", "pcie", "", "gpu"),
    ("rtx-4060ti", "nvidia", "GeForce RTX 4060 Ti 16GB", "ada", "pcie", "16", "gpu"),
    ("rtx-5070", "nvidia", "GeForce RTX 5070", "blackwell", "pcie", "12", "gpu"),
    ("rtx-a2000", "nvidia", "RTX A2000 6GB", "ampere", "pcie-lp", "6", "gpu"),
    ("rtx-a4500", "nvidia", "RTX A4500 20GB", "ampere", "pcie", "20", "gpu"),
    ("rtx-5880-ada", "nvidia", "RTX 5880 Ada", "ada", "pcie", "48", "gpu"),
    ("a800-pcie", "nvidia", "A800 PCIe", "ampere", "pcie", "80", "gpu"),
    ("radeon-pro-v520", "amd", "Radeon Pro V520", "rdna", "pcie", "8", "gpu"),
    ("radeon-pro-v710", "amd", "Radeon Pro V710", "rdna3", "pcie", "", "gpu"),
    ("mi250-128gb", "amd", "Instinct MI250", "cdna2", "oam", "128", "gpu"),
    ("mi300a-128gb", "amd", "Instinct MI300A", "cdna3", "socket", "128", "gpu"),
    ("inferentia1", "aws", "Inferentia (per chip)", "neuroncore-v1", "aws", "", "asic"),
    ("qualcomm-ai100", "qualcomm", "Cloud AI 100", "ai100", "pcie", "", "asic"),
    ("tpu-v2", "google", "TPU v2 (per chip)", "tpu", "tpu", "16", "tpu"),
]

# Data sheet figures of parts that are not planned on but that published measurements ran on.
DATASHEET = {
    "mi250-128gb": {
        "memory_type": "HBM2e", "memory_bytes_per_second": "3276800000000",
        "fp64_flop_per_second": "45300000000000", "fp64_tensor_flop_per_second": "90500000000000",
        "fp32_flop_per_second": "45300000000000", "bf16_flop_per_second": "362100000000000",
        "fp16_flop_per_second": "362100000000000", "int8_op_per_second": "362100000000000",
        "tdp_watts": "500", "link": "Infinity Fabric", "link_topology": "mesh",
        "link_bytes_per_second_per_direction": "300000000000",
        "link_peer_bytes_per_second_per_direction": "100000000000", "link_domain": "4",
        "pcie_generation": "4", "pcie_bytes_per_second_per_direction": "31500000000",
        "sm_count": "208", "devices_per_board": "2", "release_date": "2021-11-08",
        "conflicts": "2 GCDs appear as 2 devices of 64 GB; 500W TDP/560W peak TBP",
        "recalled_fields": "link;link_domain;pcie_generation",
        "note": "listed, not planned on: superseded and hardly offered",
        "source": "AMD Instinct MI250 data sheet; ROCm documentation, MI250 microarchitecture "
                  "(104 compute units and 1.6 TB/s per GCD)",
    },
}

ASIC_VENDORS = {"groq", "cerebras", "huawei", "aws"}


def kind_of(row):
    if row["arch"] == "cpu":
        return "cpu"
    if row["vendor"] == "google":
        return "tpu"
    if row["vendor"] in ASIC_VENDORS or row["arch"].startswith("gaudi"):
        return "asic"
    return "gpu"


def topology_of(row):
    link, identity = row["scaleup_link"], row["id"]
    if link in ("", "none", "on-wafer"):
        return "none"
    if "bridge" in link:
        return "bridge"
    if "mesh" in link or link.startswith(("RoCE", "Xe", "Infinity")):
        return "mesh"
    if "torus" in link or link.startswith("NeuronLink-v2") or link == "NeuronLink-v3":
        return "torus"
    if identity.startswith(("v100-sxm2", "p100-sxm2")):
        return "mesh"
    return "switched"


def capability_of(row):
    if row["vendor"] != "nvidia":
        return ""
    if row["arch"] == "ampere":
        return "8.0" if row["id"] in AMPERE_DATACENTRE else "8.6"
    if row["arch"] == "blackwell" and row["form_factor"] == "pcie":
        return "12.0"
    return CAPABILITY.get(row["arch"], "")


def modelled(row):
    """One row of the source table in our schema."""
    row = dict(row)
    identity = row["id"]
    conflicts = [row["notes_conflicts"]] if row["notes_conflicts"] else []
    for column, value, sentence in LOWER.get(identity, []):
        row[column] = value
        conflicts.append(f"{sentence}: the lower is used")
    recalled = [field for field in row["recalled_fields"].split(";") if field]

    memory_label = scaled(row["mem_gb"], 10**9)
    reported = REPORTED_MIB.get(identity)
    memory = plain(Decimal(reported) * MIB) if reported else memory_label

    link = scaled(row["scaleup_gbs_per_dir"], 10**9)
    peer = link
    if identity in TORUS_LINKS and link:
        count, per_link = TORUS_LINKS[identity]
        peer = link if per_link else plain(Decimal(link) / count)
        link = plain(Decimal(peer) * count)
    if identity in MESH_PEER_GBS:
        peer = scaled(MESH_PEER_GBS[identity], 10**9)

    sm_count, sourced = SM_COUNT.get(identity, ("", True))
    if not sourced:
        recalled.append("sm_count")
    cores, per_cycle, clock = MICRO.get(identity, ("", "", ""))
    if identity == "h100-sxm-80gb":
        conflicts.append("boost clock 1.83 GHz is unverified")
    kind = kind_of(row)
    return {
        "id": identity, "vendor": row["vendor"], "name": row["name"], "kind": kind,
        "architecture": row["arch"], "form_factor": row["form_factor"],
        "planned": "0" if kind == "cpu" else "1",
        "announced": "1" if identity in ANNOUNCED else "0",
        "memory_bytes": memory, "memory_basis": "reported" if reported else
        ("label" if memory_label else ""),
        "memory_label_bytes": memory_label, "memory_type": row["mem_type"],
        "memory_bytes_per_second": scaled(row["mem_bw_gbs"], 10**9),
        "fp64_flop_per_second": scaled(row["fp64_tflops"], 10**12),
        "fp64_tensor_flop_per_second": scaled(row["fp64_tensor_tflops"], 10**12),
        "fp32_flop_per_second": scaled(row["fp32_tflops"], 10**12),
        "tf32_flop_per_second": scaled(row["tf32_tflops"], 10**12),
        "bf16_flop_per_second": scaled(row["bf16_tflops"], 10**12),
        "fp16_flop_per_second": scaled(row["fp16_tflops"], 10**12),
        "fp8_flop_per_second": scaled(row["fp8_tflops"], 10**12),
        "fp6_flop_per_second": scaled(row["fp6_tflops"], 10**12),
        "fp4_flop_per_second": scaled(row["fp4_tflops"], 10**12),
        "int8_op_per_second": scaled(row["int8_tops"], 10**12),
        "int4_op_per_second": scaled(row["int4_tops"], 10**12),
        "sparse_multiplier": row["sparse_mult"],
        "measured_bf16_flop_per_second": scaled(row["measured_bf16_tflops"], 10**12),
        "measured_fp8_flop_per_second": scaled(row["measured_fp8_tflops"], 10**12),
        "tdp_watts": row["tdp_w"],
        "link": row["scaleup_link"] or "none", "link_topology": topology_of(row),
        "link_bytes_per_second_per_direction": link,
        "link_peer_bytes_per_second_per_direction": peer,
        "link_domain": row["scaleup_domain"],
        "pcie_generation": row["pcie_gen"],
        "pcie_bytes_per_second_per_direction": PCIE.get(row["pcie_gen"], ""),
        "compute_capability": capability_of(row),
        "sm_count": sm_count, "tensor_cores": cores, "flop_per_cycle_per_core": per_cycle,
        "boost_clock_hz": clock,
        "devices_per_board": "2" if identity == "mi250x-128gb" else "1",
        "release_date": row["release_date"], "launch_price_usd": plain(row["launch_price_usd"]),
        "conflicts": "; ".join(conflicts), "recalled_fields": ";".join(recalled),
        "note": "", "source": row["source"], "date": row["date"],
    }


def build(folder):
    rows = [modelled(row) for row in read_csv(folder, "market", "accelerators.csv")]
    by_id = {row["id"]: row for row in rows}

    # The 32-GB V100 PCIe is the 16-GB board with twice the memory.
    sibling = dict(by_id["v100-pcie-16gb"])
    sibling.update({
        "id": "v100-pcie-32gb", "name": "Tesla V100 PCIe 32GB", "memory_bytes": "32000000000",
        "memory_label_bytes": "32000000000", "release_date": "", "launch_price_usd": "",
        "recalled_fields": sibling["recalled_fields"] + ";release_date",
        "note": "rates of the 16-GB board, memory doubled"})
    rows.insert(rows.index(by_id["v100-pcie-16gb"]) + 1, sibling)

    for identity, vendor, name, architecture, form, memory, kind in NOT_MODELLED:
        label = scaled(memory, 10**9)
        rows.append({
            "id": identity, "vendor": vendor, "name": name, "kind": kind,
            "architecture": architecture, "form_factor": form, "planned": "0", "announced": "0",
            "memory_bytes": label, "memory_basis": "label" if label else "",
            "memory_label_bytes": label, "sparse_multiplier": "1", "link": "none",
            "link_topology": "none", "link_domain": "1", "devices_per_board": "1",
            "recalled_fields": "all", "note": "known, not modelled: listed and never planned on",
            "source": "named in the offers and the price history", "date": "2026-11-22"}
            | DATASHEET.get(identity, {}))
    return rows
