"""data/constants.csv: every default the product uses, one number each, with unit, source and date."""

from common import MIB, plain, read_csv, scaled

COLUMNS = ["key", "value", "unit", "note", "source", "date"]

EPOCH = "epoch-research/training-cost-trends cost_analysis_standalone.py"
AIC = "ai-dynamo/aiconfigurator@095f58a51 systems/*.yaml"
ARTICLE = "a16z, Navigating the High Cost of AI Compute"
TODAY = "2026-11-22"

FIXED = [
    ("hours_per_month", "730.5", "h", "8,766 h / 12; vendors often print 730", "365.25-day year",
     TODAY),
    ("hours_per_year", "8766", "h", "365.25 days", "365.25-day year", TODAY),
    ("characters_per_token", "4", "characters", "English text, tokenizers of GPT-3 and later",
     ARTICLE, "2023-04-27"),
    ("words_per_token", "0.75", "words", "English text", ARTICLE, "2023-04-27"),
    ("flop_per_parameter_and_token.forward", "2", "FLOP", "rule of thumb, one multiply-add",
     "arXiv 2001.08361", "2020-01-23"),
    ("flop_per_parameter_and_token.training", "6", "FLOP", "rule of thumb, forward and backward",
     "arXiv 2001.08361", "2020-01-23"),
    ("training_bytes_per_parameter.article", "12", "bytes", "fp32 weights and two Adam moments; "
     "gradients and activations are missing", ARTICLE, "2023-04-27"),
    ("training_bytes_per_parameter.default", "16", "bytes", "fp32 Adam 4+4+8, or mixed 2+2+4+4+4",
     "arXiv 1910.02054", "2019-10-04"),
    ("cpu_clock_hz", "3000000000", "Hz", "one instruction per cycle; two halve the time", ARTICLE,
     "2023-04-27"),
    ("gpu_memory_utilisation.vllm", "0.9", "fraction", "gpu_memory_utilization",
     "vLLM 0.19.0 recorded configuration", "2026-04-01"),
    ("cuda_context_bytes", "600000000", "bytes", "0.4 to 0.8 GB", "measured range, midpoint",
     TODAY),
    ("idle_power_fraction", "0.175", "fraction of TDP", "0.15 to 0.20, unverified; measured floors: "
     "H200 0.18, B200 0.24, GB200 0.18", "kernel tables with power", TODAY),
    ("pcie5_effective_bytes_per_second", "55000000000", "B/s", "typical effective rate of x16",
     "typical", TODAY),
    ("nvme_read_bytes_per_second", "7000000000", "B/s", "one PCIe 4 drive", "typical", TODAY),
    ("bandwidth_efficiency.default", "0.8", "fraction", "achieved share of memory bandwidth", AIC,
     "2026-07-14"),
    ("compute_efficiency.datasheet.bf16", "0.75", "fraction", "no measured ceiling known",
     "cost model tier datasheet", TODAY),
    ("compute_efficiency.datasheet.fp8", "0.6", "fraction", "no measured ceiling known",
     "cost model tier datasheet", TODAY),
    ("compute_efficiency.datasheet.fp4", "0.45", "fraction", "no measured ceiling known",
     "cost model tier datasheet", TODAY),
    ("compute_efficiency.immature_stack", "0.9", "factor", "applied unless the stack is mature",
     "cost model tier datasheet", TODAY),
    ("article.electricity_usd_per_kwh", "0.1", "USD/kWh", "energy example", ARTICLE, "2023-04-27"),
    ("article.card_price_usd", "1199", "USD", "RTX 3080 Ti at release", ARTICLE, "2023-04-27"),
    ("article.card_life_years", "3", "years", "energy example", ARTICLE, "2023-04-27"),
    ("article.token_price_usd_per_1k", "0.002", "USD", "gpt-3.5-turbo, not GPT-3 davinci",
     ARTICLE, "2023-04-27"),
    ("own_data_centre_threshold_usd_per_year", "50000000", "USD/year",
     "infrastructure spend above which owning may pay", ARTICLE, "2023-04-27"),
    ("halflife_days.spot", "1", "days", "confidence in a price halves", "staleness rule", TODAY),
    ("halflife_days.auction", "0.25", "days", "marketplace and auction", "staleness rule", TODAY),
    ("halflife_days.api", "14", "days", "confidence in a price halves", "staleness rule", TODAY),
    ("halflife_days.on_demand", "60", "days", "confidence in a price halves", "staleness rule",
     TODAY),
    ("halflife_days.reserved", "180", "days", "confidence in a price halves", "staleness rule",
     TODAY),
]

# tco_defaults key -> (column, our key, factor as text or '')
FROM_TCO = {
    "mfu_training_default": ("mid", "mfu"),
    "mfu_training_post2022_large": ("mid", "mfu.large_runs_since_2022"),
    "effective_training_time": ("mid", "goodput.training"),
    "mtbf_per_gpu": ("mid", "hours_between_interruptions_per_accelerator"),
    "pue.hyperscaler": ("mid", "pue.hyperscaler"),
    "pue.neocloud_or_colo": ("mid", "pue.neocloud"),
    "pue.world_average": ("mid", "pue.world_average"),
    "electricity.us_industrial.2025": ("mid", "electricity_usd_per_kwh"),
    "server_power.DGX_H100": ("mid", "server_kilowatts.dgx_h100"),
    "server_power.DGX_A100": ("mid", "server_kilowatts.dgx_a100"),
    "server_power_factor.generic_gpu": ("mid", "server_power_factor"),
    "training_power_fraction_of_TDP.gpu": ("mid", "training_power_fraction.gpu"),
    "training_power_fraction_of_TDP.tpu": ("mid", "training_power_fraction.tpu"),
    "server_overhead_factor": ("mid", "server_price_factor"),
    "cluster_network_share": ("mid", "cluster_network_share"),
    "storage_share": ("mid", "storage_share"),
    "hardware_value_decay": ("mid", "hardware_value_decay_per_year"),
    "server_life.epoch_model": ("mid", "server_life_years"),
    "spot_discount.2023_snapshot": ("mid", "spot_discount"),
    "spot_interruption_band.p4d_A100": ("high", "spot_interruption_per_month.a100"),
    "spot_interruption_band.p5_H100": ("high", "spot_interruption_per_month.h100"),
    "spot_interruption_band.L4": ("high", "spot_interruption_per_month.l4"),
    "capacity_block.p5.48xlarge": ("mid", "capacity_block_usd_per_hour.p5.48xlarge"),
    "capacity_block.p5e.48xlarge": ("mid", "capacity_block_usd_per_hour.p5e.48xlarge"),
    "capacity_block.p4d.24xlarge": ("mid", "capacity_block_usd_per_hour.p4d.24xlarge"),
    "api.batch_discount": ("mid", "api.batch_discount"),
    "api.cache_read_multiplier": ("mid", "api.cache_read_multiplier"),
    "api.cache_write_multiplier": ("mid", "api.cache_write_multiplier"),
    "nongpu_bill_share": ("low", "bill_share_outside_accelerators.low"),
}
DISCOUNTS = {"AWS": "aws", "GCP": "gcp", "Azure": "azure", "Lambda(assumed avg)": "lambda"}
SERVER_PRICES = {"HGX_H100_8gpu": "h100-sxm-80gb", "HGX_H200_8gpu": "h200-sxm-141gb",
                 "DGX_B200_8gpu": "b200-sxm-180gb", "MI300X_8gpu": "mi300x-192gb",
                 "HGX_A100_80_8gpu": "a100-sxm-80gb"}
NOTES = {"mfu": "median of published runs (Epoch)"}


def build(folder):
    rows = [dict(zip(COLUMNS, entry)) for entry in FIXED]
    tco = {row["key"]: row for row in read_csv(folder, "economics", "tco_defaults.csv")}

    def add(key, row, column):
        rows.append({"key": key, "value": plain(row[column]),
                     "unit": row["unit"].split(" (")[0],
                     "note": "; ".join(filter(None, [NOTES.get(key, ""), row["note"],
                                                     row["status"]])),
                     "source": row["source"], "date": row["date"]})

    for source_key, (column, key) in FROM_TCO.items():
        add(key, tco[source_key], column)
    for name, provider in DISCOUNTS.items():
        row = tco[f"commit_discount.{name}"]
        add(f"commit_discount.1y.{provider}", row, "mid")
        add(f"commit_discount.3y.{provider}", row, "high")
    for name, identity in SERVER_PRICES.items():
        add(f"server_price_usd.{identity}", tco[f"server_price.{name}"], "mid")
    systems = {row["system"]: row for row in read_csv(folder, "kernels", "systems.csv")}
    h100 = systems["h100_sxm"]
    for count in (1, 2, 4, 8):
        rows.append({"key": f"nccl_bytes.{count}",
                     "value": scaled(h100[f"nccl_mem_mib_{count}"], MIB),
                     "unit": "bytes", "note": f"communication buffers at {count} accelerators",
                     "source": AIC, "date": h100["date"]})
    rows.sort(key=lambda r: r["key"])
    return rows
