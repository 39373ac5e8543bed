internal import Models

/// What one console wants of its robots, and how often (the OHT-50 document, section 3.1). Pure.
///
/// Of all that a console has said of a type, the last word counts: `subscribe` to `mission.*` and then `unsubscribe` from `mission.progress` leaves the others.
struct ConsoleInterests {
  private struct Entry {
    /// Nil for all robots.
    let robot: ApplianceID?
    let rule: ConsoleView.Rule
  }

  /// In the order in which they were said; of one pattern for one robot there is one.
  private var entries: [Entry] = []
  /// What `set_telemetry_rate` asked for; the `rate` of a later subscription to telemetry takes its place.
  private var telemetryRate_hz: Double?

  /// Patterns for all robots together.
  static let patternsMax = 1024

  /// Throws where there are too many; then nothing has changed.
  mutating func subscribe(_ subscription: OHT50Subscription) throws(OHT50Refusal) {
    let before = self
    for pattern in subscription.patterns {
      say(.init(pattern: pattern, isWanted: true, rate_hz: subscription.rate_hz), of: subscription.applianceID)
      if subscription.rate_hz != nil, pattern.matches(OHT50EventType.telemetryRealtime.eventType) { telemetryRate_hz = nil }
    }
    guard entries.count > Self.patternsMax else { return }
    self = before
    throw OHT50Refusal(code: .rateLimitExceeded, description: "A connection may subscribe to \(Self.patternsMax) patterns")
  }

  mutating func unsubscribe(_ patterns: [OHT50Pattern], from robot: ApplianceID?) {
    for pattern in patterns { say(.init(pattern: pattern, isWanted: false, rate_hz: nil), of: robot) }
    if !entries.contains(where: \.rule.isWanted) { entries = [] }
  }

  mutating func setTelemetryRate(_ rate_hz: Double) { telemetryRate_hz = rate_hz }

  private mutating func say(_ rule: ConsoleView.Rule, of robot: ApplianceID?) {
    entries.removeAll { entry in
      (robot == nil || entry.robot == robot) && (rule.pattern.isEverything || entry.rule.pattern == rule.pattern)
    }
    entries.append(Entry(robot: robot, rule: rule))
  }

  /// Whether anything is wanted of robots that are not named.
  var isGeneral: Bool { entries.contains { $0.robot == nil && $0.rule.isWanted } }

  /// The robots of which something is wanted by their names.
  var named: Set<ApplianceID> { Set(entries.lazy.filter(\.rule.isWanted).compactMap(\.robot)) }

  /// What is wanted of one robot; nil for one that is never named.
  ///
  /// - Parameter permitted: the types that the user's role gets.
  func view(of robot: ApplianceID?, permitted: RoleTable.Patterns) -> ConsoleView {
    ConsoleView(
      rules: entries.filter { $0.robot == nil || $0.robot == robot }.map(\.rule), telemetryRate_hz: telemetryRate_hz, permitted: permitted)
  }
}

/// What a console wants of one robot. Consoles with the same view get the same frames.
struct ConsoleView: Hashable, Sendable {
  struct Rule: Hashable, Sendable {
    let pattern: OHT50Pattern
    let isWanted: Bool
    /// At most so many of each type in a second.
    let rate_hz: Double?
  }

  /// The last one that matches a type counts.
  let rules: [Rule]
  /// Counts instead of the rules' for telemetry.
  let telemetryRate_hz: Double?

  /// The types that the user's role gets.
  var permitted: RoleTable.Patterns

  /// Whether no event of the document is wanted.
  var isEmpty: Bool { !OHT50EventType.allCases.contains { interval(of: $0.eventType) != nil } }

  /// The shortest time between two events of this type: the document's or the console's own, whichever is longer. Zero where neither says one, nil for a type that is not wanted.
  ///
  /// The console's own counts for all but safety, of which only repeats are held, for the document's second.
  func interval(of type: EventType) -> Duration? {
    guard let family = OHT50Family(type), let rule = rules.last(where: { $0.pattern.matches(type) }), rule.isWanted,
      permitted.permits(type.rawValue)
    else {
      return nil
    }
    let limit = OHT50RateLimit.interval(of: type) ?? .zero
    let rate_hz: Double? =
      switch family {
      case .safety: nil
      case .telemetry: telemetryRate_hz ?? rule.rate_hz
      case .system, .mission, .config, .module: rule.rate_hz
      }
    return max(limit, rate_hz.map { .seconds(1 / $0) } ?? .zero)
  }

  /// How often telemetry comes, or would come if it were wanted.
  var telemetryRate: Double {
    let type = OHT50EventType.telemetryRealtime.eventType
    let limit_hz = OHT50RateLimit.interval(of: type).map { .seconds(1) / $0 } ?? .infinity
    return min(limit_hz, telemetryRate_hz ?? rules.last { $0.pattern.matches(type) }?.rate_hz ?? .infinity)
  }
}
