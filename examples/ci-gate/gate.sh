#!/bin/bash
# Fails when the service of examples/chat-70b can no longer be had for the money, or when the price
# that decides is older than we accept. usage: gate.sh USD_PER_HOUR PRICE_AGE
set -u
budget=$1 age=$2

answer=$(portolan plan examples/chat-70b/job.yaml --top 1 --max-price-age "$age" \
  -o csv --no-header --fields provider,sku,usd_per_hour,interval.high --quiet)
case $? in
  0) ;;
  3) echo "gate: no plan meets the constraints"; exit 1 ;;
  5) echo "gate: the price is older than $age"; exit 1 ;;
  *) echo "gate: no answer"; exit 1 ;;
esac

IFS=, read -r provider sku usd high <<<"$answer"
if awk -v usd="$usd" -v budget="$budget" 'BEGIN { exit !(usd <= budget) }'; then
  echo "gate: $usd USD/h with $provider $sku, up to $high at 80 %; $budget allowed"
else
  echo "gate: $usd USD/h with $provider $sku; $budget allowed"
  exit 1
fi
