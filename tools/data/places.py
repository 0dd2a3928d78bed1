"""Country (ISO 3166-1 alpha-2) of a provider's region, where its name or the vendor's list tells.

An unknown region stays empty: a sovereignty constraint then rejects it instead of guessing."""

import re

AWS = {
    "ap-northeast-1": "JP", "ap-northeast-2": "KR", "ap-south-1": "IN", "ap-southeast-1": "SG",
    "ap-southeast-2": "AU", "ap-southeast-3": "ID", "ca-central-1": "CA", "eu-central-1": "DE",
    "eu-north-1": "SE", "eu-south-2": "ES", "eu-west-1": "IE", "eu-west-2": "GB",
    "me-central-1": "AE",
}
GCP = {
    "asia-east1": "TW", "asia-east2": "HK", "asia-northeast1": "JP", "asia-northeast3": "KR",
    "asia-south1": "IN", "asia-south2": "IN", "asia-southeast1": "SG", "asia-southeast2": "ID",
    "australia-southeast1": "AU", "europe-central2": "PL", "europe-north1": "FI",
    "europe-west1": "BE", "europe-west2": "GB", "europe-west3": "DE", "europe-west4": "NL",
    "europe-west6": "CH", "europe-west9": "FR", "me-central2": "SA", "me-west1": "IL",
    "northamerica-northeast1": "CA", "northamerica-northeast2": "CA", "southamerica-east1": "BR",
}
AZURE = {
    "australia": "AU", "brazil": "BR", "canada": "CA", "centralindia": "IN", "southindia": "IN",
    "jioindia": "IN", "eastasia": "HK", "france": "FR", "germany": "DE", "indonesia": "ID",
    "israel": "IL", "italy": "IT", "japan": "JP", "korea": "KR", "malaysia": "MY", "mexico": "MX",
    "northeurope": "IE", "westeurope": "NL", "norway": "NO", "poland": "PL", "qatar": "QA",
    "southafrica": "ZA", "southeastasia": "SG", "spain": "ES", "sweden": "SE", "switzerland": "CH",
    "uae": "AE", "uk": "GB",
}
OTHER = {
    ("oci", "eu-amsterdam-1"): "NL", ("oci", "eu-stockholm-1"): "SE",
    ("oci", "me-abudhabi-1"): "AE", ("nebius", "eu-north1"): "FI", ("nebius", "eu-west1"): "FR",
    ("nebius", "me-west1"): "IL", ("nebius", "us-central1"): "US", ("ovhcloud", "BHS"): "CA",
    ("ovhcloud", "FRA"): "DE", ("ovhcloud", "GRA"): "FR", ("ovhcloud", "LON"): "GB",
    ("ovhcloud", "WAW"): "PL", ("paperspace", "East Coast (NY2)"): "US",
    ("hyperstack", "CANADA-1"): "CA", ("hyperstack", "NORWAY-1"): "NO",
    ("hyperstack", "US-1"): "US", ("scaleway", "fr-par"): "FR", ("seeweb", "it-fr2"): "IT",
    ("digitalocean", "tor1"): "CA", ("fluidstack", "FINLAND"): "FI",
    ("jarvislabs", "IN1"): "IN", ("jarvislabs", "IN2"): "IN", ("yotta", "us-central-2"): "US",
    ("yotta", "us-east-2"): "US", ("mithril", "us-central2-a"): "US",
    ("mithril", "us-central2-b"): "US", ("vast", "China"): "CN", ("vast", "Canada"): "CA",
}
CITY_COUNTRY = {"usa": "US", "india": "IN", "canada": "CA", "france": "FR", "japan": "JP",
                "poland": "PL"}


def country_of(provider, region):
    if not region:
        return ""
    if (provider, region) in OTHER:
        return OTHER[(provider, region)]
    if provider == "aws":
        return "US" if region.startswith("us-") else AWS.get(region, "")
    if provider == "gcp":
        return "US" if region.startswith("us-") else GCP.get(region, "")
    if provider == "azure":
        for prefix, country in AZURE.items():
            if region.startswith(prefix):
                return country
        return "US" if re.search(r"us\d?$", region) else ""
    if provider in ("lium", "runpod") and re.fullmatch(r"[A-Z]{2}", region):
        return region
    if provider == "vast" and re.search(r"(?:^| )([A-Z]{2})$", region):
        return region[-2:]
    if provider == "simplepod" and re.fullmatch(r"Europe-[A-Z]{2}", region):
        return region[-2:]
    if provider == "verda" and region.startswith("FIN"):
        return "FI"
    if provider == "shadeform":
        return CITY_COUNTRY.get(region.rsplit("-", 2)[1], "")
    if provider == "lambda" and region.startswith("us-"):
        return "US"
    if provider == "primeintellect":
        if region.startswith(("us-", "US")):
            return "US"
        return {"CANADA-1": "CA", "FIN-01": "FI", "FIN-02": "FI", "ICE-01": "IS",
                "eu-north1": "FI", "eu-west1": "FR"}.get(region, "")
    return ""
