import Bytes
import Testing

@testable import Host

private let counter = MetricDeclaration.counter(
  "patchbay_x_seconds_total", ["a", "b"], "Help with \"quotes\"\nand \\.")

private func snapshot(_ families: MetricSnapshot.Family...) -> MetricSnapshot { MetricSnapshot(families: families) }

private func written(_ snapshot: MetricSnapshot, _ format: MetricText.Format) -> String {
  var buffer = ByteBuffer()
  buffer.append("before ")
  MetricText.append(snapshot, format, to: &buffer)
  #expect(buffer.string().hasPrefix("before "))
  return String(buffer.string().dropFirst(7))
}

/// The two text formats, byte for byte.
struct MetricTextTests {
  @Test func `a counter in plain text`() {
    var snapshot = snapshot()
    snapshot.add(counter, 3, labels: ["x\"y", "\\\n"])
    snapshot.add(counter, 0.25, labels: ["", "z"])
    #expect(
      written(snapshot, .plain) == #"""
        # HELP patchbay_x_seconds_total Help with "quotes"\nand \\.
        # TYPE patchbay_x_seconds_total counter
        patchbay_x_seconds_total{a="x\"y",b="\\\n"} 3
        patchbay_x_seconds_total{a="",b="z"} 0.25

        """#)
  }

  @Test func `in OpenMetrics its family has no _total, and the text has an end`() {
    var snapshot = snapshot()
    snapshot.add(counter, 3, labels: ["x", "y"])
    #expect(
      written(snapshot, .openMetrics) == #"""
        # HELP patchbay_x_seconds Help with \"quotes\"\nand \\.
        # TYPE patchbay_x_seconds counter
        # UNIT patchbay_x_seconds seconds
        patchbay_x_seconds_total{a="x",b="y"} 3
        # EOF

        """#)
  }

  @Test func `a histogram has its buckets, then sum and count`() {
    let seen = MetricSnapshot.Distribution(bounds: [0.000001, 2], counts: [1, 2], sum: 4.5, count: 3)
    let family = MetricSnapshot.Family(
      name: "h", help: "H.", kind: .histogram,
      series: [.init(labels: [.init(name: "a", value: "x")], value: .distribution(seen))])
    #expect(
      written(snapshot(family), .plain) == """
        # HELP h H.
        # TYPE h histogram
        h_bucket{a="x",le="1e-06"} 1
        h_bucket{a="x",le="2"} 2
        h_bucket{a="x",le="+Inf"} 3
        h_sum{a="x"} 4.5
        h_count{a="x"} 3

        """)
    #expect(written(snapshot(family), .openMetrics).contains("h_bucket{a=\"x\",le=\"2.0\"} 2\n"))
  }

  @Test func `a series without labels, and a family without series`() {
    var snapshot = snapshot(MetricSnapshot.Family(counter))
    snapshot.add(.gauge("g", "G."), -1)
    #expect(written(snapshot, .plain) == "# HELP g G.\n# TYPE g gauge\ng{} -1\n")
  }

  @Test(
    arguments: [
      (0, "0"), (1e15, "1000000000000000"), (0.1, "0.1"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
    ] as [(Double, String)])
  func `numbers are the shortest that read back`(number: Double, text: String) {
    var snapshot = snapshot()
    snapshot.add(.gauge("g", "G."), number)
    #expect(written(snapshot, .plain).hasSuffix("g{} \(text)\n"))
  }

  @Test(
    arguments: [
      ([], .plain), (["*/*"], .plain), (["text/plain"], .plain), (["application/openmetrics-text"], .openMetrics),
      (["application/openmetrics-text; version=1.0.0"], .openMetrics),
      (["application/openmetrics-text;version=0.0.1"], .plain), (["application/openmetrics-text;q=0"], .plain),
      (["application/openmetrics-text;q=0.3,text/plain;q=0.4"], .plain),
      (["Application/OpenMetrics-Text; Version=1.0.0; q=0.5, text/plain;version=0.0.4;q=0.3"], .openMetrics),
      (["text/plain;q=0.2", "application/openmetrics-text;q=0.2"], .openMetrics), (["q=1", ";;", ","], .plain),
      (["application/openmetrics-text;q=x"], .plain),
      // What Debian's Prometheus sends.
      (
        [
          "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
            + "version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ], .openMetrics
      ),
    ] as [([String], MetricText.Format)])
  func `Accept chooses the format`(accept: [String], format: MetricText.Format) {
    #expect(MetricText.Format(accept: accept) == format)
  }
}
