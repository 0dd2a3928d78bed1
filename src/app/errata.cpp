// The thirteen places where the reference article's numbers do not add up, in words, with the
// engine's own figures put in.
#include <fmt/format.h>

#include <algorithm>

#include "app/article.hpp"
#include "base/check.hpp"
#include "base/text.hpp"

namespace portolan::app {
namespace {

/// A golden's computed figure as text.
class Figures {
 public:
  explicit Figures(const std::vector<Golden>& goldens) : goldens_(goldens) {}
  [[nodiscard]] double value(std::string_view id) const {
    const auto it =
        std::find_if(goldens_.begin(), goldens_.end(), [&](const Golden& g) { return g.id == id; });
    PORTOLAN_CHECK(it != goldens_.end());
    return it->computed;
  }
  [[nodiscard]] std::string text(std::string_view id, int digits) const {
    return significant(value(id), digits);
  }

 private:
  const std::vector<Golden>& goldens_;
};

}  // namespace

std::vector<Erratum> errata(const std::vector<Golden>& goldens) {
  const Figures f(goldens);
  std::vector<Erratum> out;
  out.push_back({"E1",
                 "A footnote counts n · p operations for n tokens.",
                 "The factor of two is lost: each parameter costs one multiplication and one "
                 "addition per token.",
                 fmt::format("2 · n · p = {} TFLOP for 1,024 tokens of GPT-3, not {}.",
                             f.text("G6.1", 4), f.text("G6.3", 4)),
                 "The text gives two operations per parameter and token, and the footnote that "
                 "derives the total ends without them. Everything later in the article uses the "
                 "right figure, so only the footnote is off.",
                 {"G6.1", "G6.3"}});
  out.push_back(
      {"E2",
       "An inference over n input and n output tokens costs 2 · n · p.",
       "That holds for an encoder-decoder whose parameters are split between both halves; GPT-3 is "
       "decoder-only and uses every parameter for every token.",
       fmt::format("2 · p · (n_in + n_out) = {} TFLOP for 1,024 tokens in and 1,024 out.",
                   f.text("G6.2", 4)),
       "A decoder-only model reads the prompt with all its parameters and writes the answer with "
       "all of them again, so both count in full. Read as 'n tokens processed in all', the "
       "article's formula is right, and that is how Portolan labels it.",
       {"G6.1", "G6.2"}});
  out.push_back(
      {"E3",
       "The A100's 512 tensor cores at 128 operations per cycle give its 312 TFLOP/s.",
       fmt::format("512 is the full die and 128 the rate of the generation before; their product "
                   "is {} TFLOP/s, {} times short.",
                   f.text("G19.3", 3), f.text("G19.3b", 3)),
       fmt::format(
           "432 cores · 512 FLOP per cycle · 1.41 GHz = {} TFLOP/s, the datasheet's figure.",
           f.text("G19.1", 4)),
       "A shipping A100 has 432 of the die's 512 tensor cores, and each does 512 FLOP per cycle; "
       "128 belongs to Volta, where it reproduces the V100's 125 TFLOP/s. The two slips do not "
       "cancel.",
       {"G19.1", "G19.2", "G19.3", "G19.3b"}});
  out.push_back(
      {"E4",
       "312 TFLOP/s is paired with 700 GB of weights.",
       "The first is the FP16 rate, the second the FP32 size.",
       fmt::format(
           "The precision fixes both: FP16 means {} s and {} GB, FP32 means {} s and {} GB.",
           f.text("G20.1", 3), f.text("G9.2", 3), f.text("G20.2", 4), f.text("G9.1", 3)),
       "A number format decides the speed of the arithmetic and the bytes of the weights together. "
       "In Portolan one object carries both, so that they cannot be combined by hand.",
       {"G20.1", "G20.2", "G9.1", "G9.2"}});
  out.push_back(
      {"E5",
       "Training needs 8 more bytes per parameter.",
       "That is Adam's two moments alone; gradients and activations are missing.",
       fmt::format(
           "16 B per parameter, {} TB for GPT-3, plus activations; the article's rule gives {} TB.",
           f.text("G10.2", 3), f.text("G10.1", 3)),
       "Training in full precision keeps weights (4 B), gradients (4 B) and two moments (8 B); "
       "mixed precision keeps 2 + 2 + 4 + 4 + 4 and arrives at the same 16. Activations come on "
       "top and depend on batch, sequence and recomputation.",
       {"G10.1", "G10.1b", "G10.2"}});
  out.push_back(
      {"E6",
       "A card with 12 GB can barely train a model of 4B parameters.",
       fmt::format("By the article's own rule such a model needs {} GB.", f.text("G57.2", 3)),
       fmt::format("Full training on 12 GB ends at {} to {}B parameters; 4B fits as QLoRA, or "
                   "marginally as LoRA on 16-bit weights (8.0 GB for the frozen base).",
                   f.text("G57.1b", 2), f.text("G57.1", 2)),
       "Twelve gigabytes over four billion parameters are 3 bytes each, less than any full "
       "training recipe needs. Fine-tuning with adapters is another matter, and Portolan prints "
       "the margin.",
       {"G57.1", "G57.1b", "G57.2", "G57.2b"}});
  out.push_back(
      {"E7",
       "One inference takes '350 TFLOPS'.",
       "A count is written as a rate.",
       fmt::format("{} TFLOP is a count of operations, TFLOP/s a speed; Portolan types them apart.",
                   f.text("G6.1", 4)),
       "FLOPS with a capital S reads as operations per second. The figure meant is the work of one "
       "inference. In Portolan a FLOP count and a FLOP rate are different types and mixing them "
       "does not compile.",
       {"G6.1"}});
  out.push_back(
      {"E8",
       "An A100 needs about one second for the inference.",
       fmt::format("That ignores memory bandwidth by a factor of about {} at batch 1.",
                   f.text("G21.1c", 3)),
       fmt::format("{} s to read the prompt at peak; {} s to write 1,024 tokens one at a time, if "
                   "the model fitted the card.",
                   f.text("G20.1", 3), f.text("G21.1b", 4)),
       "Writing a token reads every weight once: 350 GB over 2,039 GB/s. The arithmetic finishes "
       "long before the bytes arrive, so a single user's answer runs at the speed of memory. "
       "Batching many users shares each read, which is why services can be cheap.",
       {"G20.1", "G21.1", "G21.1b", "G21.1c"}});
  out.push_back(
      {"E9",
       "A thousand tokens cost $0.0002 to $0.0014.",
       "The range is sevenfold, although on-demand prices are said to differ almost fourfold.",
       fmt::format("On-demand A100-40 from $1.10 to $4.10 gives ${:.5f} to ${:.5f}; the article's "
                   "ends fit a 40-GB spot price and an 80-GB on-demand price.",
                   f.value("G26.1"), f.value("G26.1b")),
       "Inverted, the ends of the range are about $0.64 and $4.49 per hour. No pair of on-demand "
       "prices of one card does that. Portolan says which offer stands behind each end, and at "
       "which utilisation.",
       {"G26.1", "G26.1b", "G48.1"}});
  out.push_back({"E10",
                 "The cost is compared with $0.002 per thousand tokens.",
                 "That was the price of gpt-3.5-turbo, a smaller model; GPT-3 175B (davinci) cost "
                 "$0.02 then.",
                 "Only models declared to be of equal quality are compared.",
                 "The comparison makes self-hosting look ten times worse than it was. Price lists "
                 "name models, not capabilities; a fair comparison needs a statement that one can "
                 "do the other's job, which is the user's to make.",
                 {"G26.1", "G26.1b"}});
  out.push_back(
      {"E11",
       "Training GPT-3 costs about $560,000 at the above rates.",
       "It is one point inside the range those rates span, at 100 % utilisation.",
       fmt::format(
           "${} to ${} at full utilisation; ${} at $2.00 and the median published MFU of 0.375.",
           f.text("G29.1c", 6), f.text("G29.1d", 7), f.text("G29.1e", 7)),
       "$560,000 corresponds to $2.00 per A100-hour. Published runs reach 37.5 % of the peak in "
       "the median, which multiplies every figure by 2.7. And a run is not a programme: failed and "
       "trial runs come on top.",
       {"G29.1", "G29.1b", "G29.1c", "G29.1d", "G29.1e", "G29.1f"}});
  out.push_back(
      {"E12",
       "Two consumer cards use 3,500 kWh in three years, $1,000, which nearly doubles their cost.",
       "The energy is of one year; 'nearly double' is against one card of the pair; 300 W is the "
       "PCIe part; cooling is left out.",
       fmt::format("{} kWh a year, ${} in three years at $0.10: {} times one card's price, {} "
                   "times the pair's; ${} with a PUE of 1.25.",
                   f.text("G44.1", 4), f.text("G44.1b", 6), f.text("G44.2", 3), f.text("G44.2b", 3),
                   f.text("G44.4", 4)),
       "The dollars are right, the kilowatt-hours are a third of what they should be. Energy "
       "matters most for cheap cards that run long; a data centre's own overhead belongs in the "
       "sum.",
       {"G44.1", "G44.1b", "G44.2", "G44.2b", "G44.4", "G44.5"}});
  out.push_back(
      {"E13",
       "Weaker GPUs save three to four times.",
       "That is a ratio of hourly prices, not of the cost of work.",
       fmt::format(
           "AWS asked {} times more for an A100 than for an A10G in the smallest shape and {} in "
           "the largest; what decides is the cost per token at the latency one needs.",
           f.text("G61.1", 3), f.text("G61.1c", 3)),
       "A slower card is cheap per hour and may still be dear per token: it needs more time, and "
       "more of it to meet a latency target. 'portolan plan' ranks by the cost of the job.",
       {"G61.1", "G61.1b", "G61.1c"}});
  return out;
}

}  // namespace portolan::app
