#!/bin/bash
# Makes chat.jsonl: 40 conversations of two to eight turns with four assistants, each of which has a
# system prompt of its own. Lengths and pauses are drawn; nothing in it was measured anywhere.
# Same bytes on every machine. usage: bash make.sh > chat.jsonl
set -euo pipefail
LC_ALL=C awk '
function draw() { state = (state * 48271) % 2147483647; return state / 2147483647 }
function lengths(mean, spread) { return int(mean * exp(spread * (draw() + draw() + draw() - 1.5)) + 1) }
BEGIN {
  state = 20261122
  block = 64
  split("512 768 1024 1536", system_tokens, " ")
  start = 0
  for (c = 1; c <= 40; ++c) {
    start += -2.4 * log(draw())
    assistant = int(draw() * 4) + 1
    turns = 2 + int(draw() * 7)
    text = system_tokens[assistant]
    time = start
    for (turn = 1; turn <= turns; ++turn) {
      text += lengths(90, 1.1)
      reply = lengths(180, 0.9)
      # Runs of 64 tokens: the system prompt is that of the assistant, all else of the conversation.
      # The last ones name the reply, which the next prompt begins with.
      ids = ""
      for (i = 0; i * block < text + reply; ++i) {
        own = i * block >= system_tokens[assistant]
        ids = ids (i ? "," : "") (own ? 100000 + c * 1000 + i : assistant * 1000 + i)
      }
      printf "{\"arrival_seconds\":%.3f,\"input_tokens\":%d,\"output_tokens\":%d,\"conversation\":%d,\"block_tokens\":%d,\"block_ids\":[%s]}\n",
        time, text, reply, c, block, ids
      text += reply
      time += 4 + reply * 0.02 - 9 * log(draw())
    }
  }
}' | LC_ALL=C sort -t: -k2,2n
