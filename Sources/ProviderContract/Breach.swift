/// A rule that a plugin broke, as it was seen: what the rule expects and what was found instead.
public struct Breach: Error, Sendable, Equatable, CustomStringConvertible {
  public var rule: Rule
  /// The function of the ABI at which it was seen.
  public var function: ABIFunction
  /// The prv_call, prv_exchange or prv_timer that the function was given; 0: none.
  public var handle: UInt64
  public var expected: String
  public var found: String

  public init(_ rule: Rule, at function: ABIFunction, handle: UInt64 = 0, expected: String, found: String) {
    self.rule = rule
    self.function = function
    self.handle = handle
    self.expected = expected
    self.found = found
  }

  /// `PRV-R006 at emit: expected no event after done, found one; emit everything first …`
  public var description: String { "\(rule) at \(function): expected \(expected), found \(found); \(rule.remedy)" }
}
