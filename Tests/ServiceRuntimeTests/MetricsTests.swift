import CoreMetrics
import Metrics
import Testing

@testable import ServiceRuntime

@Suite struct `Prometheus metrics` {
  let registry = MetricsRegistry(runner: DeadlineRunner())

  @Test func `counters, gauges and their labels are exposed in order`() async {
    registry.describe("martlet_b_total", "What b is.\nReally.")
    Counter(label: "martlet.b-total", dimensions: [], factory: registry).increment(by: 3)
    Counter(label: "martlet_b_total", dimensions: [("z", "1"), ("a", "q\"\\\n")], factory: registry).increment()
    Gauge(label: "martlet_a", dimensions: [], factory: registry).record(1.5)
    let meter = Meter(label: "martlet_c", dimensions: [], factory: registry)
    meter.set(2)
    meter.decrement(by: 5)
    FloatingPointCounter(label: "martlet_d_total", dimensions: [], factory: registry).increment(by: 0.25)
    Counter(label: "martlet_b_total", dimensions: [], factory: registry).increment(by: -2)
    #expect(
      await registry.scrape() == """
        # TYPE martlet_a gauge
        martlet_a 1.5
        # HELP martlet_b_total What b is.\\nReally.
        # TYPE martlet_b_total counter
        martlet_b_total 3
        martlet_b_total{a="q\\"\\\\\\n",z="1"} 1
        # TYPE martlet_c gauge
        martlet_c -3
        # TYPE martlet_d_total counter
        martlet_d_total 0.25
        # TYPE martlet_metrics_series_refused_total counter
        martlet_metrics_series_refused_total 0

        """)
  }

  @Test func `a timer is a histogram in seconds with cumulative buckets`() async {
    let timer = Timer(label: "martlet_call_seconds", dimensions: [("k", "v")], factory: registry)
    timer.recordMilliseconds(1)
    timer.recordMilliseconds(30)
    timer.recordSeconds(60)
    let text = await registry.scrape()
    #expect(text.contains("# TYPE martlet_call_seconds histogram\n"))
    #expect(text.contains("martlet_call_seconds_bucket{k=\"v\",le=\"0.0005\"} 0\n"))
    #expect(text.contains("martlet_call_seconds_bucket{k=\"v\",le=\"0.001\"} 1\n"))
    #expect(text.contains("martlet_call_seconds_bucket{k=\"v\",le=\"0.05\"} 2\n"))
    #expect(text.contains("martlet_call_seconds_bucket{k=\"v\",le=\"10\"} 2\n"))
    #expect(text.contains("martlet_call_seconds_bucket{k=\"v\",le=\"+Inf\"} 3\n"))
    #expect(text.contains("martlet_call_seconds_sum{k=\"v\"} 60.031\n"))
    #expect(text.contains("martlet_call_seconds_count{k=\"v\"} 3\n"))
  }

  @Test func `a recorder is a histogram of sizes`() async {
    let recorder = Recorder(label: "martlet_batch_events", dimensions: [], aggregate: true, factory: registry)
    recorder.record(4)
    recorder.record(5)
    let text = await registry.scrape()
    #expect(text.contains("martlet_batch_events_bucket{le=\"4\"} 1\nmartlet_batch_events_bucket{le=\"16\"} 2\n"))
  }

  @Test func `label sets past the bound record into nothing and are counted`() async {
    for index in 0..<(MetricsRegistry.seriesPerMetricMax + 20) {
      Counter(label: "martlet_wild_total", dimensions: [("id", String(index))], factory: registry).increment()
    }
    let text = await registry.scrape()
    #expect(text.split(separator: "\n").count { $0.hasPrefix("martlet_wild_total{") } == MetricsRegistry.seriesPerMetricMax)
    #expect(text.contains("martlet_metrics_series_refused_total 20\n"))
  }

  @Test func `a name that is used for two kinds keeps the first`() async {
    Counter(label: "martlet_x", dimensions: [], factory: registry).increment()
    Gauge(label: "martlet_x", dimensions: [], factory: registry).record(7)
    Gauge(label: "martlet_x", dimensions: [("a", "b")], factory: registry).record(7)
    let text = await registry.scrape()
    #expect(text.contains("martlet_x 1\n"))
    #expect(!text.contains("martlet_x{"))
    #expect(text.contains("martlet_metrics_series_refused_total 2\n"))
  }

  @Test func `a destroyed metric leaves no series`() async {
    let counter = Counter(label: "martlet_gone_total", dimensions: [], factory: registry)
    counter.increment()
    counter.destroy()
    #expect(!(await registry.scrape()).contains("martlet_gone_total 1"))
  }

  @Test func `collectors are run at scrape time, added up, and left out when they hang`() async {
    let runner = DeadlineRunner()
    let registry = MetricsRegistry(runner: runner)
    for loop in 1...2 {
      registry.addCollector("loop", deadline: .seconds(60)) { [MetricSample("martlet_sockets", labels: [("kind", "ws")], Double(loop))] }
    }
    registry.addCollector("stuck", deadline: .milliseconds(20)) {
      await withCheckedContinuation { (continuation: CheckedContinuation<[MetricSample], Never>) in Stuck.hold(continuation) }
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await runner.run() }
      let text = await registry.scrape()
      #expect(text.contains("# TYPE martlet_sockets gauge\nmartlet_sockets{kind=\"ws\"} 3\n"))
      #expect(text.contains("martlet_metrics_collector_up{collector=\"stuck\"} 0\n"))
      Stuck.release()
      group.cancelAll()
    }
  }

  @Test func `counting from many threads loses nothing`() async {
    let counter = Counter(label: "martlet_n_total", dimensions: [], factory: registry)
    let sum = FloatingPointCounter(label: "martlet_f_total", dimensions: [], factory: registry)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<10_000 {
            counter.increment()
            sum.increment(by: 0.5)
          }
        }
      }
    }
    let text = await registry.scrape()
    #expect(text.contains("martlet_n_total 80000\n"))
    #expect(text.contains("martlet_f_total 40000\n"))
  }

  @Test(arguments: [("a.b-c", "a_b_c"), ("9lives", "_9lives"), ("", "_"), ("größe", "gr__e"), ("a:b", "a:b")])
  func `any label becomes a valid name`(_ label: String, _ name: String) {
    #expect(PrometheusText.name(label) == name)
  }

  @Test func `numbers are written as Prometheus reads them`() {
    #expect([1, -0.5, .infinity, -.infinity, .nan, 1e300].map(PrometheusText.number) == ["1", "-0.5", "+Inf", "-Inf", "NaN", "1e+300"])
  }

  @Test func `a program's name with spaces and parentheses does not shift the fields of its stat`() {
    let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 7 0 1000 1048576 256 18446744073709551615"
    let samples = ProcessMetrics.statSamples(stat, pageBytes: 4096, ticksPerSecond: 100, bootSeconds: 5000)
    #expect(
      samples.map(\.name) == [
        "process_cpu_seconds_total", "process_threads", "process_virtual_memory_bytes", "process_resident_memory_bytes",
        "process_start_time_seconds",
      ])
    #expect(samples.map(\.value) == [2, 7, 1_048_576, 1_048_576, 5010])
  }

  @Test func `the limit of open files is the soft one`() {
    #expect(
      ProcessMetrics.openFilesMax("Limit  Soft Hard Units\nMax open files            1024                 4096      files \n") == 1024)
    #expect(ProcessMetrics.openFilesMax("") == nil)
  }
}
