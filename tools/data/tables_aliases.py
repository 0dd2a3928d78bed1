"""data/accelerator_aliases.csv: spellings of accelerators, some of them only at one provider.

A row with a provider is looked up first. An ambiguous spelling names the default and every
reading it may have; memory, SKU and provider rules choose among them. A spelling that ends in
'*' is a prefix and is tried last."""

from common import normal_alias, read_csv

COLUMNS = ["alias", "provider", "accelerator_id", "ambiguous", "alternatives", "note", "source",
           "date"]

# Unambiguous spellings: datasheet names, driver names, SkyPilot, gpuhunt/dstack, benchmark tables.
PLAIN = {
    "p100-pcie-16gb": "P100 PCIe|Tesla P100-PCIE-16GB|P100-PCIe|Tesla P100 PCIe",
    "p100-sxm2-16gb": "P100 SXM2|Tesla P100-SXM2-16GB|Tesla P100 SXM2|P100-SXM",
    "v100-pcie-16gb": "V100 PCIe|Tesla V100-PCIE-16GB|V100-PCIe-16GB|Tesla V100 PCIe 16 GB|"
                      "V100 PCIe 16GB",
    "v100-pcie-32gb": "Tesla V100-PCIE-32GB|V100-PCIe-32GB|Tesla V100 PCIe 32 GB|V100 PCIe 32GB",
    "v100-sxm2-16gb": "V100 SXM2|Tesla V100-SXM2-16GB|V100-SXM2-16GB|Tesla V100 SXM2 16 GB|"
                      "V100-SXM|V100-SXM-16GB|Tesla V100 SXM2",
    "v100-sxm2-32gb": "Tesla V100-SXM2-32GB|V100-SXM2-32GB|Tesla V100 SXM2 32 GB|V100-SXM-32GB|"
                      "Tesla V100-SXM3-32GB|Tesla V100 SXM3 32 GB|V100-SXM3-32GB",
    "t4": "Tesla T4|tesla-t4|T4-16GB|T4 (16 GB)|T4 (16)",
    "a2": "A2-16GB|Tesla A2",
    "a10": "A10-24GB|A10 PCIe|A10 (24 GB)|Tesla A10",
    "a10g": "A10G-24GB|A10G (24 GB)",
    "a16": "A16-16GB",
    "a30": "A30 PCIe|A30-24GB",
    "a40": "A40 PCIe|A40-48GB|A40 (48 GB)",
    "a100-pcie-40gb": "A100-PCIE-40GB|A100 PCIe 40GB|A100-40GB-PCIe|A100 40GB PCIe|A100-40G-PCIe|"
                      "A100-PCI-40GB",
    "a100-pcie-80gb": "A100 80GB PCIe|A100-PCIE-80GB|A100-80G-PCIe|A100-80GB-PCIe|A100 PCIe 80 GB|"
                      "A100-PCI-80GB|A100-80G-PCIe-NVLink",
    "a100-sxm-40gb": "A100-SXM4-40GB|A100 SXM4 40GB|A100-40GB-SXM|A100-40GB-SXM4|"
                     "A100 SXM4 40 GB|A100-40G-SXM4|tesla-a100",
    "a100-sxm-80gb": "A100-SXM4-80GB|A100 SXM4 80GB|A100-80GB-SXM|A100-80GB-SXM4|A100 SXM4 80 GB|"
                     "A100-80G-SXM4|A100 SXM 80GB|A100-80G-sxm4|DGX A100 80GB|"
                     "A100-SXM-80G",
    "l4": "L4-24GB|Tesla L4|L4 (24 GB)",
    "l40": "L40-48GB|L40 PCIe",
    "l40s": "L40S-48GB|L40S PCIe",
    "h100-pcie-80gb": "H100 PCIe|H100-80G-PCIe|H100-PCIe-80G|H100-80GB-PCIe|"
                      "H100 PCIe (80GB)|h100_pcie|H100-80G-PCIe-NVLink|H100 80GB PCIe|"
                      "gpu_1x_h100_pcie",
    "h100-nvl-94gb": "H100 NVL|H100NVL|H100-NVL-94G|H100 NVL 94 GB|H100-NVL-PCIe",
    "h100-sxm-80gb": "H100 80GB HBM3|H100-SXM|H100 SXM5|H100-SXM5-80GB|H100-80G-SXM5|"
                     "H100-80GB-SXM|H100-80GB-SXM5|H100 SXM5 80 GB|h100_sxm|HGX H100|DGX H100|"
                     "H100-MEGA|h100-mega-80gb|H100 HGX (80GB)|H100 SXM5 80GB|H100-80GB-HBM3|"
                     "DGX/HGX H100",
    "h800-sxm-80gb": "H800|H800-80GB|H800 SXM5|H800-SXM",
    "h20-96gb": "H20|HGX H20|H20-SXM|H20-96G",
    "h200-sxm-141gb": "H200-SXM|H200-SXM5|H200-141GB|H200 SXM 141 GB|h200_sxm|HGX H200|"
                      "DGX H200|H200 SXM",
    "h200-nvl-141gb": "H200 NVL|H200NVL|H200-NVL-141G",
    "gh200-96gb": "GH200 480GB|GH200-480GB|GH200-96G|GH200 (96 GB)",
    "gh200-141gb": "GH200-144GB|GH200-141G|GH200 144G HBM3e|GH200-HBM3e",
    "b200-sxm-180gb": "B200|B200-SXM|B200-SXM6|B200-180GB|b200_sxm|HGX B200|DGX B200|B200-192GB|"
                      "B200 SXM",
    "b300-sxm-288gb": "B300|B300-SXM|B300-SXM6|B300-288GB|b300_sxm|HGX B300|DGX B300|B300 SXM6 AC|"
                      "Blackwell Ultra B300|B300-262GB",
    "gb200": "GB200 NVL72|GB200-NVL72|GB200-192GB|GB200-186GB|GB200-SXM",
    "gb300": "GB300 NVL72|GB300-NVL72|GB300-288GB",
    "rubin-sxm": "Rubin|R200|VR200|Vera Rubin",
    "rtx-3080ti": "GeForce RTX 3080 Ti|RTX3080Ti|3080Ti|3080-ti|3080Ti (12 GB)",
    "rtx-3090": "GeForce RTX 3090|RTX3090|3090|GeForce-3090",
    "rtx-3090ti": "GeForce RTX 3090 Ti|RTX3090Ti|3090Ti|3090-ti|RTX 3090 Ti",
    "rtx-4090": "GeForce RTX 4090|RTX4090|4090|GeForce-4090|RTX-4090-24GB",
    "rtx-5090": "GeForce RTX 5090|RTX5090|5090|GeForce-5090|RTX-5090-32GB|GeForce_RTX_5090_32G",
    "rtx-a4000": "RTXA4000|A4000|Quadro RTX A4000|A4000 (16 GB)",
    "rtx-a5000": "RTXA5000|A5000|Quadro RTX A5000|A5000 (24 GB)",
    "rtx-a6000": "RTXA6000|A6000|Quadro RTX A6000|A6000 (48 GB)|RTX A6000 (48 GB)|RTX-A6000-48GB",
    "rtx-6000-ada": "RTX 6000 Ada Generation|RTX6000-Ada|RTX6000Ada|RTX_6000Ada|6000-Ada|"
                    "RTX-6000-Ada-48GB|RTXA6000Ada|L6000-Ada",
    "rtx-pro-6000-server": "RTX PRO 6000 Blackwell Server Edition|RTX-PRO-6000-BSE|"
                           "RTXPRO6000BSE|rtx-pro-server-6000|rtx_pro_6000_server|"
                           "RTX PRO 6000 Server|RTXPRO6000-Server",
    "rtx-pro-6000-ws": "RTX PRO 6000 Blackwell Workstation Edition|RTXPRO6000-WK|RTXPRO6000WS|"
                       "RTX_PRO_6000_WS|RTX PRO 6000 Workstation|RTXPRO6000-WS",
    "rtx-pro-4500": "RTX PRO 4500 Blackwell|RTXPRO4500|RTX-PRO-4500-32GB",
    "mi210-64gb": "MI210|Instinct MI210|AMD Instinct MI210",
    "mi250x-128gb": "MI250X|Instinct MI250X|AMD Instinct MI250X|AMD Radeon Instinct MI250X",
    "mi300x-192gb": "MI300X|Instinct MI300X|AMD Instinct MI300X|AMD Instinct MI300X OAM|"
                    "AMD-MI300X|MI300X-OAM|amd-instinct-mi300x",
    "mi325x-256gb": "MI325X|Instinct MI325X|AMD Instinct MI325X|AMD-MI325X|MI325X-OAM",
    "mi350x-288gb": "MI350X|Instinct MI350X|AMD Instinct MI350X",
    "mi355x-288gb": "MI355X|Instinct MI355X|AMD Instinct MI355X|AMD-MI355X|MI355X-OAM",
    "mi455x-432gb": "MI455X|Instinct MI455X|AMD Instinct MI455X",
    "rx-7900xtx": "RX 7900 XTX|Radeon RX 7900 XTX|7900XTX|7900-xtx|AMD Radeon RX 7900 XTX",
    "gaudi2-96gb": "Gaudi2|Gaudi 2|HL-225H|Intel Habana Gaudi2|Habana Gaudi2|Intel Gaudi 2",
    "gaudi3-128gb": "Gaudi3|Gaudi 3|HL-325L|Intel Gaudi 3|Habana Gaudi3",
    "max-1550": "Max 1550|PVC|PVC-Max1550|Intel Data Center GPU Max 1550|Ponte Vecchio",
    "arc-pro-b60": "B60|Arc Pro B60|Intel Arc Pro B60|arc-b60",
    "tpu-v3": "TPUv3|Google TPU v3|TPU-v3-chip",
    "tpu-v4": "TPUv4|Google TPU v4|tpu-v4-podslice",
    "tpu-v5e": "TPUv5e|Google TPU v5e|tpu-v5-lite-podslice|tpu-v5lite|v5litepod|ct5lp|v5e",
    "tpu-v5p": "TPUv5p|Google TPU v5p|tpu-v5p-slice|ct5p|v5p",
    "tpu-v6e": "TPUv6e|Google TPU v6e Trillium|tpu-v6e-slice|Trillium|ct6e|v6e",
    "tpu-v7": "TPU7x|tpu7x|Ironwood|Google TPU7x|tpu-v7x",
    "trainium1": "Trainium|trn1|AWS Trainium|Trainium1",
    "trainium2": "trn2|AWS Trainium2|Trainium2",
    "trainium3": "trn3|AWS Trainium3|Trainium3",
    "inferentia2": "inf2|AWS Inferentia2|Inferentia2",
    "groq-lpu1": "GroqChip LPU v1|GroqChip|Groq LPU",
    "cerebras-wse3": "WSE-3|WSE3|CS-3|Cerebras WSE-3",
    "ascend-910b": "Ascend 910B|910B|Huawei Ascend 910B",
    "ascend-950dt": "Ascend 950DT|950DT",
    "epyc-9654": "EPYC 9654|AMD EPYC 9654",
    "epyc-9755": "EPYC 9755|AMD EPYC 9755",
    "epyc-9575f": "EPYC 9575F|AMD EPYC 9575F",
    "xeon-8480c": "Xeon Platinum 8480+|Xeon 8480+|Xeon 8480C",
    "xeon-6980p": "Xeon 6980P|Intel Xeon 6980P",
    "grace-72c": "Grace|Grace CPU",
    "graviton4": "Graviton4|AWS Graviton4",
    "m60": "M60|Tesla M60",
    "quadro-rtx-6000": "Quadro RTX 6000|Quadro-RTX-6000|Quadro RTX 6000 (24 GB)|RTX-6000-Turing",
    "quadro-rtx-5000": "Quadro RTX 5000|RTX5000 (16 GB)|RTX-5000-Turing",
    "quadro-rtx-4000": "Quadro RTX 4000|RTX4000 (8 GB)|RTX-4000-Turing",
    "quadro-p4000": "Quadro P4000|P4000",
    "p4": "P4|Tesla P4|P4 (8 GB)|tesla-p4",
    "k80": "K80|Tesla K80|K80 (12 GB)|tesla-k80",
    "t4g": "T4G|T4g",
    "rtx-3060": "RTX3060|GeForce RTX 3060|3060",
    "rtx-3060ti": "RTX3060Ti|GeForce RTX 3060 Ti|3060Ti",
    "rtx-3070": "RTX3070|GeForce RTX 3070|3070",
    "rtx-3080": "RTX3080|GeForce RTX 3080|3080",
    "rtx-4060ti": "RTX4060Ti|GeForce RTX 4060 Ti|4060Ti",
    "rtx-5070": "RTX5070|GeForce RTX 5070|RTX_5070|5070",
    "rtx-a2000": "RTXA2000|A2000|RTX-A2000",
    "rtx-a4500": "RTXA4500|A4500|RTX A4500",
    "rtx-5880-ada": "RTX5880Ada|RTX 5880 Ada|RTX-5880-Ada",
    "a800-pcie": "A800|A800 PCIe",
    "radeon-pro-v520": "RadeonProV520|V520|Radeon Pro V520",
    "radeon-pro-v710": "RadeonProV710|V710|Radeon Pro V710",
    "mi250-128gb": "MI250|Instinct MI250|AMD Radeon Instinct MI250|AMD Instinct MI250",
    "mi300a-128gb": "MI300A|Instinct MI300A|AMD Instinct MI300A",
    "inferentia1": "Inferentia|inf1|Inferentia1|AWS Inferentia",
    "qualcomm-ai100": "Qualcomm-AI100|AI100|Cloud AI 100",
    "tpu-v2": "TPUv2|Google TPU v2",
}

# Spelling -> (default, other readings, how one is chosen).
AMBIGUOUS = {
    "H100": ("h100-sxm-80gb", "h100-pcie-80gb h100-nvl-94gb",
             "form factor not said: the SXM part unless the SKU or the provider tells otherwise"),
    "H100-80GB": ("h100-sxm-80gb", "h100-pcie-80gb", "form factor not said"),
    "H100-80G": ("h100-sxm-80gb", "h100-pcie-80gb", "form factor not said"),
    "H100 (80 GB)": ("h100-sxm-80gb", "h100-pcie-80gb", "form factor not said"),
    "H100-NVLINK": ("h100-sxm-80gb", "h100-pcie-80gb", "may be PCIe boards with a bridge"),
    "hopper": ("h100-sxm-80gb", "h100-pcie-80gb h100-nvl-94gb h200-sxm-141gb h200-nvl-141gb",
               "an architecture, not a part"),
    "A100": ("a100-sxm-40gb", "a100-sxm-80gb a100-pcie-40gb a100-pcie-80gb",
             "40 GB by the convention of SkyPilot; memory and form factor decide"),
    "A100-40GB": ("a100-sxm-40gb", "a100-pcie-40gb", "form factor not said"),
    "A100-40G": ("a100-sxm-40gb", "a100-pcie-40gb", "form factor not said"),
    "A100 (40 GB)": ("a100-sxm-40gb", "a100-pcie-40gb", "form factor not said"),
    "A100-80GB": ("a100-sxm-80gb", "a100-pcie-80gb", "form factor not said"),
    "A100-80G": ("a100-sxm-80gb", "a100-pcie-80gb", "form factor not said"),
    "A100 (80 GB)": ("a100-sxm-80gb", "a100-pcie-80gb", "form factor not said"),
    "A100_SXM4": ("a100-sxm-40gb", "a100-sxm-80gb", "memory decides"),
    "A100-SXM": ("a100-sxm-40gb", "a100-sxm-80gb", "memory decides"),
    "A100_PCIE": ("a100-pcie-40gb", "a100-pcie-80gb", "memory decides"),
    "V100": ("v100-sxm2-16gb", "v100-sxm2-32gb v100-pcie-16gb v100-pcie-32gb",
             "memory and form factor decide"),
    "Tesla V100": ("v100-sxm2-16gb", "v100-sxm2-32gb v100-pcie-16gb v100-pcie-32gb",
                   "memory and form factor decide"),
    "tesla-v100": ("v100-sxm2-16gb", "v100-sxm2-32gb v100-pcie-16gb v100-pcie-32gb",
                   "memory and form factor decide"),
    "V100-16GB": ("v100-sxm2-16gb", "v100-pcie-16gb", "form factor not said"),
    "V100 (16 GB)": ("v100-sxm2-16gb", "v100-pcie-16gb", "form factor not said"),
    "Tesla V100 DGXS 16 GB": ("v100-sxm2-16gb", "v100-pcie-16gb",
                              "the price history files cloud V100s under the workstation name"),
    "V100-32GB": ("v100-sxm2-32gb", "v100-pcie-32gb", "PCIe at OVHcloud and Paperspace"),
    "V100 (32 GB)": ("v100-sxm2-32gb", "v100-pcie-32gb", "form factor not said"),
    "Tesla V100 DGXS 32 GB": ("v100-sxm2-32gb", "v100-pcie-32gb",
                              "the price history files cloud V100s under the workstation name"),
    "P100": ("p100-pcie-16gb", "p100-sxm2-16gb", "form factor not said"),
    "P100 (16 GB)": ("p100-pcie-16gb", "p100-sxm2-16gb", "form factor not said"),
    "tesla-p100": ("p100-pcie-16gb", "p100-sxm2-16gb", "form factor not said"),
    "GH200": ("gh200-96gb", "gh200-141gb", "memory decides: the first version has 96 GB"),
    "A10 24GB": ("a10", "a10g", "popular tables give the A10G the figures of the A10"),
    "RTX-PRO-6000": ("rtx-pro-6000-server", "rtx-pro-6000-ws",
                     "edition not said: the server part is the slower one"),
    "RTX PRO 6000 96GB": ("rtx-pro-6000-server", "rtx-pro-6000-ws", "edition not said"),
    "RTXPRO6000": ("rtx-pro-6000-server", "rtx-pro-6000-ws", "edition not said"),
    "RTX PRO 6000 Blackwell": ("rtx-pro-6000-server", "rtx-pro-6000-ws", "edition not said"),
    "RTXPRO6000Blackwell": ("rtx-pro-6000-server", "rtx-pro-6000-ws", "edition not said"),
    "RTX6000": ("quadro-rtx-6000", "rtx-6000-ada rtx-pro-6000-server",
                "the 24-GB Turing Quadro in SkyPilot, not Ada"),
    "RTX-6000": ("quadro-rtx-6000", "rtx-6000-ada rtx-pro-6000-server",
                 "the 24-GB Turing Quadro in SkyPilot, not Ada"),
    "RTX5000": ("quadro-rtx-5000", "rtx-a5000", "the Turing Quadro, not Ampere"),
    "RTX4000": ("quadro-rtx-4000", "rtx-a4000", "the Turing Quadro, not Ampere"),
    "MI300": ("mi300x-192gb", "mi300a-128gb", "X unless said otherwise"),
    "H200": ("h200-sxm-141gb", "h200-nvl-141gb", "the SXM part unless NVL is said"),
    "TPU": ("tpu-v5e", "tpu-v2 tpu-v3 tpu-v4 tpu-v5p tpu-v6e tpu-v7", "generation not said"),
    "TPU-v5": ("tpu-v5e", "tpu-v5p", "e or p not said"),
    "Gaudi": ("gaudi2-96gb", "gaudi3-128gb", "generation not said"),
}

# (provider, spelling) -> (id, note): what one provider means by a name others use differently.
SCOPED = {
    ("verda", "RTX-PRO-6000"): ("rtx-pro-6000-server", "1RTXPRO6000.30V and its multiples"),
    ("vast", "A100_SXM4"): ("a100-sxm-80gb", "an 80-GB part on this marketplace unless 40 is said"),
    ("vast", "RTX_PRO_6000"): ("rtx-pro-6000-server", "the WS suffix marks the other edition"),
    ("seeweb", "A100"): ("a100-pcie-80gb", "80 GB here; form factor not published"),
    ("lambda", "A100"): ("a100-pcie-40gb", "gpu_1x_a100 is PCIe; the SXM type says sxm4"),
    ("lambda", "H100"): ("h100-pcie-80gb", "gpu_1x_h100_pcie"),
    ("scaleway", "H100"): ("h100-pcie-80gb", "H100-1-80G"),
    ("paperspace", "H100"): ("h100-pcie-80gb", "one-GPU type; the eight-GPU type is SXM"),
    ("paperspace", "A100"): ("a100-pcie-40gb", "one-GPU type"),
    ("paperspace", "V100"): ("v100-pcie-16gb", "one-GPU type"),
    ("paperspace", "V100-32GB"): ("v100-pcie-32gb", ""),
    ("ovhcloud", "V100"): ("v100-pcie-16gb", ""),
    ("ovhcloud", "V100-32GB"): ("v100-pcie-32gb", ""),
    ("runpod", "A100-80GB"): ("a100-pcie-80gb", "A100 PCIe; the SXM type says so"),
    ("runpod", "A100 PCIe"): ("a100-pcie-80gb", ""),
    ("aws", "H100"): ("h100-sxm-80gb", "p5"),
    ("aws", "A100"): ("a100-sxm-40gb", "p4d; p4de says 80 GB in its memory"),
    ("aws", "V100"): ("v100-sxm2-16gb", "p3; p3dn says 32 GB in its memory"),
    ("gcp", "H100"): ("h100-sxm-80gb", "a3"),
    ("gcp", "A100"): ("a100-sxm-40gb", "a2-highgpu"),
    ("gcp", "A100-80GB"): ("a100-sxm-80gb", "a2-ultragpu"),
    ("gcp", "V100"): ("v100-sxm2-16gb", ""),
    ("gcp", "P100"): ("p100-pcie-16gb", ""),
    ("gcp", "RTX-PRO-6000"): ("rtx-pro-6000-server", "g4"),
    ("nebius", "H100"): ("h100-sxm-80gb", "gpu-h100-sxm"),
    ("hyperbolic", "H100"): ("h100-sxm-80gb", "reported as NVIDIA-H100-80GB-HBM3"),
    ("fluidstack", "H100-NVLINK"): ("h100-sxm-80gb", "may be PCIe boards with a bridge"),
    ("hyperstack", "A100"): ("a100-pcie-80gb", "A100-80G-PCIe"),
}

PREFIXES = {
    "tpu-v2-*": ("tpu-v2", "the number counts cores: chips are half of it"),
    "tpu-v3-*": ("tpu-v3", "the number counts cores: chips are half of it"),
    "tpu-v4-*": ("tpu-v4", "the number counts cores: chips are half of it"),
    "tpu-v5p-*": ("tpu-v5p", "the number counts cores: chips are half of it"),
    "tpu-v5litepod-*": ("tpu-v5e", "the number counts chips (recalled)"),
    "tpu-v5e-*": ("tpu-v5e", "the number counts chips (recalled)"),
    "tpu-v6e-*": ("tpu-v6e", "the number counts chips (recalled)"),
}


def build(folder, accelerators):
    rows, seen = [], {}
    known = {row["id"] for row in accelerators}

    def add(alias, provider, identity, ambiguous, alternatives, note, source, date):
        key = (provider, normal_alias(alias))
        assert identity in known, (alias, identity)
        for other in alternatives.split():
            assert other in known, (alias, other)
        if key in seen:
            assert seen[key] == identity, (alias, provider, identity, seen[key])
            return
        seen[key] = identity
        rows.append({"alias": alias, "provider": provider, "accelerator_id": identity,
                     "ambiguous": ambiguous, "alternatives": alternatives.replace(" ", ";"),
                     "note": note, "source": source, "date": date})

    ours = "names in the offers, the price history and the benchmark tables"
    date = "2026-11-22"
    for alias, (identity, alternatives, note) in AMBIGUOUS.items():
        add(alias, "", identity, "1", alternatives, note, ours, date)
    for row in accelerators:
        add(row["id"], "", row["id"], "0", "", "catalogue id", "catalogue", date)
    for identity, spellings in PLAIN.items():
        for alias in spellings.split("|"):
            add(alias, "", identity, "0", "", "", ours, date)
    for row in accelerators:
        key = ("", normal_alias(row["name"]))
        if key not in seen:
            add(row["name"], "", row["id"], "0", "", "datasheet name", row["source"], row["date"])
    for (provider, alias), (identity, note) in SCOPED.items():
        add(alias, provider, identity, "0", "", note, "provider's own type names", date)
    for alias, (identity, note) in PREFIXES.items():
        add(alias, "", identity, "0", "", note, "Google Cloud TPU slice names", date)
    # Spellings published with the offers that the lists above do not hold yet.
    for row in read_csv(folder, "market", "accelerator_aliases.csv"):
        identity = row["accelerator_id"]
        if identity and ("", normal_alias(row["alias"])) not in seen:
            add(row["alias"], "", identity, "0", "", "", row["source"], row["date"])
    return rows


def lookup(rows):
    """(provider or '', normalised alias) -> row, for the other builders."""
    return {(row["provider"], normal_alias(row["alias"])): row for row in rows}
