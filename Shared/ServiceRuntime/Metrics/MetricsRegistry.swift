package import CoreMetrics
import Synchronization

/// One value that a collector publishes at scrape time.
package struct MetricSample: Sendable {
  package var name: String
  package var labels: [(String, String)]
  package var kind: MetricKind
  package var value: Double

  /// - Parameter kind: `.counter` or `.gauge`.
  package init(_ name: String, labels: [(String, String)] = [], kind: MetricKind = .gauge, _ value: Double) {
    self.name = name
    self.labels = labels
    self.kind = kind
    self.value = value
  }
}

/// Every metric of the process: the backend of swift-metrics, and what `/metrics` shows.
///
/// Names and labels are meant to come from code, never from the wire. Should they not, a metric keeps to
/// ``seriesPerMetricMax`` label sets: further ones record into nothing and are counted in
/// `martlet_metrics_series_refused_total`. So is a name that is used for two kinds of metric.
package final class MetricsRegistry: MetricsFactory, Sendable {
  package static let seriesPerMetricMax = 500
  package static let metricsMax = 1000

  private struct Metric {
    let kind: MetricKind
    var series: [MetricLabels: any Instrument] = [:]
  }

  private struct State {
    var metrics: [String: Metric] = [:]
    var help: [String: String] = [:]
    var collectors: [DeadlineCall<[MetricSample]>] = []
    var refusedCount = 0
  }

  private let state = Mutex(State())
  private let runner: DeadlineRunner

  package init(runner: DeadlineRunner) { self.runner = runner }

  /// Says what a metric is, for `# HELP`.
  package func describe(_ name: String, _ help: String) {
    state.withLock { $0.help[PrometheusText.name(name)] = help }
  }

  /// Adds a closure that is run at each scrape and publishes values that live elsewhere: an event loop's own plain integers
  /// are read with a hop to that loop. Equal names and labels from several collectors are added up.
  /// - Parameters:
  ///   - name: Names the collector in the count of those that missed the deadline.
  ///   - deadline: A collector that takes longer is left out of the scrape.
  package func addCollector(
    _ name: String, deadline: Duration = .seconds(5), _ collect: @escaping @Sendable () async -> [MetricSample]
  ) {
    let call = DeadlineCall(name: name, deadline: deadline, runner: runner, body: collect)
    state.withLock { $0.collectors.append(call) }
  }

  /// What `/metrics` answers.
  package func scrape() async -> String {
    let collectors = state.withLock { $0.collectors }
    let collected = await withTaskGroup(of: (String, [MetricSample]?).self) { group in
      for collector in collectors { group.addTask { (collector.name, await collector()) } }
      var samples: [MetricSample] = []
      for await (name, values) in group {
        samples += values?.prefix(Self.seriesPerMetricMax) ?? []
        samples.append(
          MetricSample("martlet_metrics_collector_up", labels: [("collector", name)], values == nil ? 0 : 1))
      }
      return samples
    }
    return render(with: collected)
  }

  private func render(with collected: [MetricSample]) -> String {
    state.withLock { state in
      var sums: [String: (kind: MetricKind, series: [MetricLabels: Double])] = [:]
      let refused = MetricSample("martlet_metrics_series_refused_total", kind: .counter, Double(state.refusedCount))
      for sample in collected + [refused] {
        let name = PrometheusText.name(sample.name)
        guard state.metrics[name] == nil else { continue }
        sums[name, default: (sample.kind, [:])].series[MetricLabels(sample.labels), default: 0] += sample.value
      }
      var text = PrometheusText()
      for name in (Array(state.metrics.keys) + Array(sums.keys)).sorted() {
        if let metric = state.metrics[name] {
          text.family(name, metric.kind, help: state.help[name])
          for (labels, instrument) in metric.series.sorted(by: { $0.key < $1.key }) {
            instrument.write(to: &text, name: name, labels: labels)
          }
        } else if let sum = sums[name] {
          text.family(name, sum.kind, help: state.help[name])
          for (labels, value) in sum.series.sorted(by: { $0.key < $1.key }) {
            text.sample(name, labels, PrometheusText.number(value))
          }
        }
      }
      return text.text
    }
  }

  /// The instrument for this name and these labels, or one that records into nothing.
  private func instrument<Kind: Instrument>(_ label: String, _ dimensions: [(String, String)]) -> Kind {
    let name = PrometheusText.name(label)
    let labels = MetricLabels(dimensions)
    return state.withLock { state in
      let metric = state.metrics[name]
      if let known = metric?.series[labels] as? Kind { return known }
      let isSameKind = metric?.kind ?? Kind.kind == Kind.kind && metric?.series[labels] == nil
      let hasRoom = metric.map { $0.series.count < Self.seriesPerMetricMax } ?? (state.metrics.count < Self.metricsMax)
      let instrument = Kind()
      if isSameKind, hasRoom {
        state.metrics[name, default: Metric(kind: Kind.kind)].series[labels] = instrument
      } else {
        state.refusedCount += 1
      }
      return instrument
    }
  }

  private func remove(_ handler: AnyObject) {
    state.withLock { state in
      for (name, metric) in state.metrics {
        state.metrics[name]?.series = metric.series.filter { $0.value !== handler }
      }
    }
  }

  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    instrument(label, dimensions) as IntegerCounter
  }

  package func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
    instrument(label, dimensions) as FractionalCounter
  }

  package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    instrument(label, dimensions) as GaugeValue
  }

  package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    aggregate ? instrument(label, dimensions) as SizeHistogram : instrument(label, dimensions) as GaugeValue
  }

  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    instrument(label, dimensions) as TimerHistogram
  }

  package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
  package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
  package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
  package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
  package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}
