import Glibc

// simulate [--seed N] [--seeds COUNT] [--hours H] [--quiet]
//
// Runs the decision core against a simulated world, one seed after the other. The first broken promise is printed with
// its seed and ends the program with status 1: the same seed runs the same way again. The last line counts.

var seed: UInt64 = 1
var seeds: UInt64 = 1
var hours = 24.0
var isQuiet = false

func usage() -> Never {
  print("usage: simulate [--seed N] [--seeds COUNT] [--hours H] [--quiet]")
  exit(64)
}

var arguments = CommandLine.arguments.dropFirst()
while let name = arguments.popFirst() {
  switch name {
  case "--seed":
    guard let value = arguments.popFirst().flatMap({ UInt64($0) }) else { usage() }
    seed = value
  case "--seeds":
    guard let value = arguments.popFirst().flatMap({ UInt64($0) }), value > 0 else { usage() }
    seeds = value
  case "--hours":
    guard let value = arguments.popFirst().flatMap({ Double($0) }), (0.001...876_000).contains(value) else { usage() }
    hours = value
  case "--quiet": isQuiet = true
  default: usage()
  }
}

var requests = 0
var attempts = 0
for number in seed..<(seed + seeds) {
  let world = World(seed: number)
  world.run(hours: hours)
  let counts = world.ledger.counts
  requests += counts.requests
  attempts += counts.attempts
  if let violation = world.ledger.violation {
    let time = Double(world.now.nanoseconds) / 1e9
    print("seed \(number): broken after \(time) s, step \(counts.steps): \(violation)")
    print("again: simulate --seed \(number) --hours \(hours)")
    exit(1)
  }
  guard !isQuiet else { continue }
  let outcomes = Reply.allCases.map { "\($0) \(counts.replies[$0.rawValue])" }.joined(separator: ", ")
  print(
    "seed \(number): \(counts.requests) requests, \(counts.attempts) attempts, \(counts.steps) steps, "
      + "\(counts.evictions) sent away, \(counts.reloads) reloads, \(counts.lostLeases) leases lost and found; \(outcomes)"
  )
  print("seed \(number): digest \(String(world.ledger.digest, radix: 16))")
}
print("\(seeds) seeds, \(hours) hours each, \(requests) requests, \(attempts) tries: every promise held")
