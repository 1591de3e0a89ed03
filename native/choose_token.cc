#include "choose_token.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace grouper {

namespace {

// e^x for x <= 0 to the last place or two; 0 below -708. Range reduction by ln 2 in two parts, Taylor's series to degree 13 on
// [-ln 2 / 2, ln 2 / 2] (its rest is 4e-18). No branches, so that loops over it vectorise.
inline double fast_exp(double x) {
  constexpr double kLog2e = 1.4426950408889634, kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer that sits in the low mantissa bits
  const double clamped = x < -708.0 ? -708.0 : x;
  const double shifted = clamped * kLog2e + kRound;
  const double n = shifted - kRound;
  const double r = (clamped - n * kLn2High) - n * kLn2Low;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const auto exponent = (std::bit_cast<int64_t>(shifted) - std::bit_cast<int64_t>(kRound) + 1023) << 52;
  const double result = p * std::bit_cast<double>(exponent);
  return x < -708.0 ? 0.0 : result;
}

constexpr const char* kNoToken = "No token can be sampled: the logits are not finite (did training diverge?) or every token is a stop token.";

// Keeps exactly the `count` largest; of equals, those with the lower id.
void keep_top_k(std::vector<double>& mass, int64_t count) {
  std::vector<int64_t> ids(mass.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto larger = [&](int64_t a, int64_t b) {
    const double x = mass[static_cast<size_t>(a)], y = mass[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::nth_element(ids.begin(), ids.begin() + count - 1, ids.end(), larger);
  for (auto id = ids.begin() + count; id != ids.end(); ++id) mass[static_cast<size_t>(*id)] = 0.0;
}

// Keeps the fewest of the largest whose mass reaches the share `top_p` of what is left.
void keep_top_p(std::vector<double>& mass, double top_p) {
  const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
  // Tokens below this share hold less than 1 - top_p together, so none of them is needed, and few are left to sort.
  const double negligible = (1.0 - top_p) * total / static_cast<double>(mass.size());
  std::vector<int64_t> ids;
  for (size_t id = 0; id < mass.size(); ++id) {
    if (mass[id] > 0.0 && mass[id] >= negligible) ids.push_back(static_cast<int64_t>(id));
  }
  std::stable_sort(ids.begin(), ids.end(), [&](int64_t a, int64_t b) { return mass[static_cast<size_t>(a)] > mass[static_cast<size_t>(b)]; });
  std::vector<double> kept(mass.size(), 0.0);
  double sum = 0.0;
  for (const int64_t id : ids) {
    kept[static_cast<size_t>(id)] = mass[static_cast<size_t>(id)];
    sum += mass[static_cast<size_t>(id)];
    if (sum >= top_p * total) break;
  }
  mass.swap(kept);
}

// `mass` is scratch; it ends as e^(logit/temperature - peak) of the tokens that may come.
Choice choose_token(const float* logits, int64_t num_tokens, const Draw& draw, std::vector<double>& mass) {
  const SamplingParams& params = *draw.params;
  const bool greedy = params.temperature == 0.0;
  const double temperature = greedy ? 1.0 : params.temperature;
  mass.resize(static_cast<size_t>(num_tokens));
  double* values = mass.data();
#pragma omp simd
  for (int64_t id = 0; id < num_tokens; ++id) values[id] = static_cast<double>(logits[id]) / temperature;
  if (!draw.may_stop) {
    for (const int64_t id : params.stop_token_ids) values[id] = -std::numeric_limits<double>::infinity();
  }
  double peak = values[0];
#pragma omp simd reduction(max : peak)
  for (int64_t id = 1; id < num_tokens; ++id) peak = std::max(peak, values[id]);
  const auto finish = [&](int64_t token, double total) {
    double value = static_cast<double>(logits[token]) / temperature;
    return Choice{token, static_cast<float>(value - peak - std::log(total))};
  };
  const int64_t best = greedy ? std::find(values, values + num_tokens, peak) - values : 0;
  double total = 0.0;
#pragma omp simd reduction(+ : total)
  for (int64_t id = 0; id < num_tokens; ++id) {
    values[id] = fast_exp(values[id] - peak);
    total += values[id];
  }
  TORCH_CHECK(std::isfinite(peak) && std::isfinite(total), kNoToken);
  if (greedy) return finish(best, total);

  if (params.min_p > 0.0 || (params.top_k > 0 && params.top_k < num_tokens) || params.top_p < 1.0) {
    for (double& value : mass) value = value < params.min_p ? 0.0 : value;
    if (params.top_k > 0 && params.top_k < num_tokens) keep_top_k(mass, params.top_k);
    if (params.top_p < 1.0) keep_top_p(mass, params.top_p);
    values = mass.data();
    total = std::accumulate(mass.begin(), mass.end(), 0.0);
  }
  const double threshold = draw.uniform * total;
  double cumulative = 0.0;
  int64_t chosen = -1;
  for (int64_t id = 0; id < num_tokens; ++id) {
    if (values[id] <= 0.0) continue;
    cumulative += values[id];
    chosen = id;
    // The last token with any mass also takes what rounding leaves over at the end.
    if (cumulative > threshold) break;
  }
  return finish(chosen, total);
}

std::vector<Choice> choose_on_cpu(const at::Tensor& logits, const std::vector<Draw>& draws) {
  const int64_t num_tokens = logits.size(1);
  const float* data = logits.const_data_ptr<float>();
  std::vector<Choice> choices(draws.size());
  const int64_t grain = std::max<int64_t>(1, 16384 / num_tokens);
  at::parallel_for(0, static_cast<int64_t>(draws.size()), grain, [&](int64_t first, int64_t last) {
    thread_local std::vector<double> mass;
    for (int64_t index = first; index < last; ++index) {
      const Draw& draw = draws[static_cast<size_t>(index)];
      choices[static_cast<size_t>(index)] = choose_token(data + draw.row * num_tokens, num_tokens, draw, mass);
    }
  });
  return choices;
}

// One column per draw, on the device.
template <typename Value, typename Field>
at::Tensor column(const std::vector<Draw>& draws, const at::Tensor& like, Field field) {
  std::vector<Value> values;
  for (const Draw& draw : draws) values.push_back(field(draw));
  return at::tensor(values).to(like.device()).unsqueeze(1);
}

// The same steps as tensor operations, so that logits stay on their device.
std::vector<Choice> choose_on_device(const at::Tensor& logits, const std::vector<Draw>& draws) {
  const int64_t num_tokens = logits.size(1);
  const at::Tensor rows = column<int64_t>(draws, logits, [](const Draw& draw) { return draw.row; }).squeeze(1);
  const auto is_greedy = [](const Draw& draw) { return draw.params->temperature == 0.0; };
  const at::Tensor greedy = column<double>(draws, logits, [&](const Draw& draw) { return is_greedy(draw) ? 1.0 : 0.0; }).gt(0.5);
  at::Tensor scaled = logits.index_select(0, rows).to(at::kDouble);
  scaled = scaled / column<double>(draws, logits, [&](const Draw& draw) { return is_greedy(draw) ? 1.0 : draw.params->temperature; });
  for (size_t index = 0; index < draws.size(); ++index) {
    if (draws[index].may_stop || draws[index].params->stop_token_ids.empty()) continue;
    scaled[static_cast<int64_t>(index)].index_fill_(0, at::tensor(draws[index].params->stop_token_ids).to(logits.device()),
                                                    -std::numeric_limits<double>::infinity());
  }
  const bool filtered = std::any_of(draws.begin(), draws.end(), [&](const Draw& draw) {
    return !is_greedy(draw) && (draw.params->min_p > 0.0 || draw.params->top_k > 0 || draw.params->top_p < 1.0);
  });
  // Filters and greedy rows want tokens by falling logit; without them the vocabulary's own order saves the sort.
  const bool sorted = filtered || std::any_of(draws.begin(), draws.end(), is_greedy);
  at::Tensor ids;
  if (sorted) std::tie(scaled, ids) = scaled.sort(/*stable=*/true, /*dim=*/1, /*descending=*/true);
  at::Tensor mass = (scaled - scaled.amax(1, true)).exp();
  const at::Tensor peak = scaled.amax(1, true);
  if (filtered) {
    const at::Tensor full = mass;
    mass = at::where(mass.lt(column<double>(draws, logits, [](const Draw& draw) { return draw.params->min_p; })), 0.0, mass);
    const at::Tensor top_k = column<int64_t>(draws, logits, [&](const Draw& draw) { return draw.params->top_k > 0 ? draw.params->top_k : num_tokens; });
    mass = at::where(at::arange(num_tokens, top_k.options()).unsqueeze(0).ge(top_k), 0.0, mass);
    const at::Tensor top_p = column<double>(draws, logits, [](const Draw& draw) { return draw.params->top_p < 1.0 ? draw.params->top_p : 2.0; });
    mass = at::where((mass.cumsum(1) - mass).ge(top_p * mass.sum(1, true)), 0.0, mass);
    mass = at::where(greedy, full, mass);
  }
  const at::Tensor cumulative = mass.cumsum(1);
  const at::Tensor total = cumulative.select(1, num_tokens - 1).unsqueeze(1);
  TORCH_CHECK(total.isfinite().all().item<bool>() && peak.isfinite().all().item<bool>(), kNoToken);
  const at::Tensor uniform = column<double>(draws, logits, [&](const Draw& draw) { return is_greedy(draw) ? 0.0 : draw.uniform; });
  // Rounding may put the threshold past the end, or behind the last token that has any mass.
  const at::Tensor last = mass.gt(0.0).to(at::kLong).mul(at::arange(num_tokens, rows.options())).amax(1, true);
  at::Tensor place = at::searchsorted(cumulative, uniform * total, /*out_int32=*/false, /*right=*/true).minimum(last);
  place = at::where(greedy, at::zeros_like(place), place);
  const at::Tensor logprobs = (scaled.gather(1, place) - peak - total.log()).to(at::kFloat).cpu();
  const at::Tensor tokens = (sorted ? ids.gather(1, place) : place).cpu();
  std::vector<Choice> choices(draws.size());
  for (size_t index = 0; index < draws.size(); ++index) {
    choices[index] = {tokens.const_data_ptr<int64_t>()[index], logprobs.const_data_ptr<float>()[index]};
  }
  return choices;
}

}  // namespace

std::vector<Choice> choose_tokens(const at::Tensor& logits, const std::vector<Draw>& draws) {
  if (draws.empty()) return {};
  if (logits.is_cpu()) return choose_on_cpu(logits, draws);
  // Float64 copies of the logits exist for a few rows at a time.
  constexpr size_t kRowsAtATime = 64;
  std::vector<Choice> choices;
  for (size_t first = 0; first < draws.size(); first += kRowsAtATime) {
    const auto begin = draws.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<Draw> part(begin, begin + static_cast<std::ptrdiff_t>(std::min(kRowsAtATime, draws.size() - first)));
    for (const Choice& choice : choose_on_device(logits, part)) choices.push_back(choice);
  }
  return choices;
}

}  // namespace grouper
