/// The rules that concern an appliance, ready to be asked by metric and by event type. Appliances under the same rules can share one.
package struct RuleSet: Sendable {
  /// By id.
  package let rules: [Rule]
  private let metricRules: [Int]
  /// Silence of the appliance as a whole.
  let silenceRules: [Int]
  let eventRules: [Int]
  private let places: [UInt64: Int]
  /// The answers for metrics that came; a device that makes up names empties it again and again, and pays with time alone.
  private var byMetric: [String: [Int]] = [:]

  private static let metricsMax = 4096

  package init(_ rules: some Sequence<Rule>) {
    let rules = rules.sorted { $0.id < $1.id }
    self.rules = rules
    places = Dictionary(rules.enumerated().map { ($1.key, $0) }) { first, _ in first }
    metricRules = rules.indices.filter { rules[$0].condition.metric != nil }
    silenceRules = rules.indices.filter { if case .silence(nil, _) = rules[$0].condition { true } else { false } }
    eventRules = rules.indices.filter { if case .event = rules[$0].condition { true } else { false } }
  }

  /// Whether numbers inside events matter at all.
  var watchesMetrics: Bool { !metricRules.isEmpty }

  /// Which rules look at that metric.
  mutating func watching(_ metric: String) -> [Int] {
    if let known = byMetric[metric] { return known }
    let watching = metricRules.filter { rules[$0].condition.metric?.matches(metric) ?? false }
    if byMetric.count >= Self.metricsMax { byMetric.removeAll() }
    byMetric[metric] = watching
    return watching
  }

  func rule(_ key: UInt64) -> Rule? { places[key].map { rules[$0] } }
}

extension Condition {
  /// The metrics that the rule looks at; nil where it is about no metric.
  package var metric: Pattern? {
    switch self {
    case .threshold(let metric, _), .rate(let metric, _): metric
    case .silence(let metric, _): metric
    case .event: nil
    }
  }
}
