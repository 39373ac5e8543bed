import CoreMetrics
import Synchronization

/// How many observations lie at or below each of a fixed set of bounds.
final class Buckets: Sendable {
  /// From half a millisecond to ten seconds.
  static let seconds: [Double] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  /// Powers of four from 1 to 67,108,864: batch sizes and bytes.
  static let sizes: [Double] = (0...13).map { Double(1 << (2 * $0)) }

  private let bounds: [Double]
  /// One for each bound, and one for what is above them all.
  private let counts: InlineArray<15, Atomic<UInt64>>
  private let sum = AtomicSum()

  init(bounds: [Double]) {
    precondition(bounds.count == 14, "there is a count for each of 14 bounds")
    self.bounds = bounds
    self.counts = InlineArray { _ in Atomic(0) }
  }

  func observe(_ value: Double) {
    guard value.isFinite else { return }
    var index = 0
    while index < bounds.count, value > bounds[index] { index += 1 }
    counts[index].wrappingAdd(1, ordering: .relaxed)
    sum.add(value)
  }

  func write(to text: inout PrometheusText, name: String, labels: MetricLabels) {
    var total: UInt64 = 0
    for index in 0..<15 {
      total += counts[index].load(ordering: .relaxed)
      let bound = index < bounds.count ? PrometheusText.number(bounds[index]) : "+Inf"
      text.sample(name + "_bucket", labels, bound: bound, String(total))
    }
    text.sample(name + "_sum", labels, PrometheusText.number(sum.value))
    text.sample(name + "_count", labels, String(total))
  }
}

/// swift-metrics' `Timer`: a histogram in seconds.
final class TimerHistogram: Instrument, TimerHandler {
  static let kind = MetricKind.histogram
  private let buckets = Buckets(bounds: Buckets.seconds)

  func recordNanoseconds(_ duration: Int64) { buckets.observe(Double(duration) / 1_000_000_000) }

  func write(to text: inout PrometheusText, name: String, labels: MetricLabels) {
    buckets.write(to: &text, name: name, labels: labels)
  }
}

/// swift-metrics' aggregating `Recorder`: a histogram of sizes.
final class SizeHistogram: Instrument, RecorderHandler {
  static let kind = MetricKind.histogram
  private let buckets = Buckets(bounds: Buckets.sizes)

  func record(_ value: Int64) { buckets.observe(Double(value)) }
  func record(_ value: Double) { buckets.observe(value) }

  func write(to text: inout PrometheusText, name: String, labels: MetricLabels) {
    buckets.write(to: &text, name: name, labels: labels)
  }
}
