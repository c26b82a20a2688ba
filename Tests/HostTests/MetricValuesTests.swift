import Bytes
import JSON
import Testing

@testable import Host

private typealias Snapshot = MetricSnapshot

private func family(_ name: String, _ series: [([String: String], Double)]) -> Snapshot.Family {
  Snapshot.Family(
    name: name, help: "", kind: .gauge,
    series: series.map { labels, value in
      Snapshot.Series(
        labels: labels.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: $0.value) }, value: .number(value))
    })
}

private func json(_ values: MetricValues, after before: MetricValues? = nil) throws -> JSONValue {
  var buffer = ByteBuffer()
  values.write(at: 5, after: before, to: &buffer)
  return try JSONValue(parsing: buffer.readable)
}

struct MetricValuesTests {
  @Test func `the first event has every value by name and labels`() throws {
    let values = MetricValues(
      Snapshot(families: [
        family("b", [([:], 1.5)]), family("a", [(["x": "1", "y": "q\"\\\n"], 2), (["x": "2", "y": ""], 3)]),
      ]), after: MetricValues())
    #expect(
      try json(values).text
        == #"{"at":5,"full":true,"values":{"b":1.5,"a{x=\"1\",y=\"q\\\"\\\\\\n\"}":2,"a{x=\"2\",y=\"\"}":3},"removed":[]}"#
    )
  }

  @Test func `then only what changed is told, what came, and what went`() throws {
    let first = MetricValues(
      Snapshot(families: [family("a", [(["p": "1"], 1), (["p": "2"], 2), (["p": "3"], 3)]), family("b", [([:], 1)])]),
      after: MetricValues())
    let same = MetricValues(
      Snapshot(families: [family("a", [(["p": "1"], 1), (["p": "2"], 2.5), (["p": "3"], 3)]), family("b", [([:], 1)])]),
      after: first)
    #expect(try json(same, after: first).text == #"{"at":5,"full":false,"values":{"a{p=\"2\"}":2.5},"removed":[]}"#)
    // Rows that moved up are told again, which is no harm.
    let fewer = MetricValues(
      Snapshot(families: [family("a", [(["p": "2"], 2.5), (["p": "4"], 4)]), family("c", [([:], 0)])]), after: same)
    let change = try json(fewer, after: same)
    #expect(change["values"]?["a{p=\"4\"}"]?.double == 4 && change["values"]?["c"]?.double == 0)
    #expect(change["removed"]?.array?.map(\.string) == ["a{p=\"1\"}", "a{p=\"3\"}", "b"])
  }

  @Test func `applying the changes to what was known gives what is`() throws {
    var known: [String: Double] = [:]
    var before: MetricValues?
    for round in 0..<40 {
      let series = (0..<7).filter { ($0 * 7 + round) % 5 != 0 }.map { (["p": "\($0)"], Double($0 * round % 9)) }
      let values = MetricValues(Snapshot(families: [family("a", series)]), after: before ?? MetricValues())
      let event = try json(values, after: before)
      for key in event["removed"]?.array ?? [] { known[key.string ?? ""] = nil }
      for member in event["values"]?.members ?? [] { known[member.key] = member.value.double }
      #expect(known == Dictionary(uniqueKeysWithValues: series.map { ("a{p=\"\($0.0["p"] ?? "")\"}", $0.1) }))
      before = values
    }
  }

  @Test func `a histogram has count, sum and quantiles once something was observed`() throws {
    let empty = Snapshot.Distribution(bounds: [1, 2, 4], counts: [0, 0, 0], sum: 0, count: 0)
    let full = Snapshot.Distribution(bounds: [1, 2, 4], counts: [5, 9, 10], sum: 13, count: 10)
    func snapshot(_ distribution: Snapshot.Distribution) -> Snapshot {
      Snapshot(families: [
        .init(
          name: "h", help: "", kind: .histogram,
          series: [.init(labels: [.init(name: "p", value: "x")], value: .distribution(distribution))])
      ])
    }
    let before = MetricValues(snapshot(empty), after: MetricValues())
    #expect(try json(before)["values"]?.text == #"{"h_count{p=\"x\"}":0,"h_sum{p=\"x\"}":0}"#)
    let after = try json(MetricValues(snapshot(full), after: before), after: before)
    #expect(
      after["values"]?.members?.map(\.key) == [
        #"h_count{p="x"}"#, #"h_sum{p="x"}"#, #"h{p="x",quantile="0.5"}"#, #"h{p="x",quantile="0.9"}"#,
        #"h{p="x",quantile="0.99"}"#,
      ])
    #expect(after["values"]?[#"h{p="x",quantile="0.5"}"#]?.double == 1)
    #expect(after["values"]?[#"h{p="x",quantile="0.9"}"#]?.double == 2)
    #expect(after["removed"]?.array?.isEmpty == true)
  }

  @Test(
    arguments: [
      ([4, 4, 4], 4, 0.5, 0.5), ([0, 4, 4], 4, 0.5, 1.5), ([0, 0, 0], 4, 0.99, 4), ([1, 1, 1], 2, 0.5, 1),
      ([0, 0, 0], 0, 0.5, 0), ([2, 2, 4], 4, 0.75, 3),
    ] as [([UInt64], UInt64, Double, Double)])
  func `a quantile lies evenly within its bucket`(counts: [UInt64], count: UInt64, of: Double, value: Double) {
    let distribution = Snapshot.Distribution(bounds: [1, 2, 4], counts: counts, sum: 0, count: count)
    #expect(abs((distribution.quantile(of) ?? 0) - value) < 1e-9)
  }
}
