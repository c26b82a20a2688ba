import JSON
import ProviderAPI

extension TokenUsage {
  /// Reads a `usage` object in any of the spellings seen on the wire; nil when it counts nothing.
  init?(json: JSONView) {
    func count(_ view: JSONView?) -> UInt64? { view?.int().flatMap { UInt64(exactly: $0) } }
    let input = count(json["prompt_tokens"]) ?? count(json["input_tokens"])
    let output = count(json["completion_tokens"]) ?? count(json["output_tokens"])
    guard input != nil || output != nil else { return nil }
    let cached =
      count(json["prompt_tokens_details"]?["cached_tokens"]) ?? count(json["cached_tokens"])
      ?? count(json["prompt_cache_hit_tokens"])
    self.init(
      inputTokens: input ?? 0, outputTokens: output ?? 0, cachedInputTokens: cached ?? 0,
      reasoningTokens: count(json["completion_tokens_details"]?["reasoning_tokens"]) ?? 0)
  }

  /// The sum of two exchanges of one call; stops at the largest count instead of overflowing.
  static func + (first: TokenUsage, second: TokenUsage) -> TokenUsage {
    func sum(_ count: KeyPath<TokenUsage, UInt64>) -> UInt64 {
      let (sum, overflows) = first[keyPath: count].addingReportingOverflow(second[keyPath: count])
      return overflows ? .max : sum
    }
    return TokenUsage(
      inputTokens: sum(\.inputTokens), outputTokens: sum(\.outputTokens),
      cachedInputTokens: sum(\.cachedInputTokens), reasoningTokens: sum(\.reasoningTokens))
  }
}
