import CoreMetrics
import Synchronization

/// One time series: what a label set of a metric holds. Recording is a few relaxed atomic operations; reading is not a
/// snapshot across series, as Prometheus does not need one.
protocol Instrument: AnyObject, Sendable {
  static var kind: MetricKind { get }
  init()
  func write(to text: inout PrometheusText, name: String, labels: MetricLabels)
}

/// What a metric is to Prometheus.
package enum MetricKind: String, Sendable { case counter, gauge, histogram }

/// A count that only grows.
final class IntegerCounter: Instrument, CounterHandler {
  static let kind = MetricKind.counter
  private let count = Atomic<Int64>(0)

  func increment(by amount: Int64) {
    guard amount > 0 else { return }
    count.wrappingAdd(amount, ordering: .relaxed)
  }

  func reset() { count.store(0, ordering: .relaxed) }

  func write(to text: inout PrometheusText, name: String, labels: MetricLabels) {
    text.sample(name, labels, String(count.load(ordering: .relaxed)))
  }
}

/// A sum that only grows.
final class FractionalCounter: Instrument, FloatingPointCounterHandler {
  static let kind = MetricKind.counter
  private let sum = AtomicSum()

  func increment(by amount: Double) {
    guard amount > 0, amount.isFinite else { return }
    sum.add(amount)
  }

  func reset() { sum.set(0) }

  func write(to text: inout PrometheusText, name: String, labels: MetricLabels) {
    text.sample(name, labels, PrometheusText.number(sum.value))
  }
}

/// A value that goes up and down: swift-metrics' `Gauge` and `Meter`.
final class GaugeValue: Instrument, MeterHandler, RecorderHandler {
  static let kind = MetricKind.gauge
  private let current = AtomicSum()

  func set(_ value: Int64) { current.set(Double(value)) }
  func set(_ value: Double) { current.set(value) }
  func increment(by amount: Double) { current.add(amount) }
  func decrement(by amount: Double) { current.add(-amount) }
  func record(_ value: Int64) { set(value) }
  func record(_ value: Double) { set(value) }

  func write(to text: inout PrometheusText, name: String, labels: MetricLabels) {
    text.sample(name, labels, PrometheusText.number(current.value))
  }
}

/// A `Double` that threads add to.
final class AtomicSum: Sendable {
  private let bits = Atomic<UInt64>(0)

  var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

  func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

  func add(_ amount: Double) {
    var expected = bits.load(ordering: .relaxed)
    while true {
      let desired = (Double(bitPattern: expected) + amount).bitPattern
      let (exchanged, original) = bits.weakCompareExchange(expected: expected, desired: desired, ordering: .relaxed)
      if exchanged { return }
      expected = original
    }
  }
}
