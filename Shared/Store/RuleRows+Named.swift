import Models
import PostgresClient
import RuleEvaluation

/// What a rule names must be there, as far as that can be known.
extension RuleRows {
  /// - Throws: `RuleError` for an appliance without a `*` that is not registered, and for a metric without a `*` that is no sensor of the lab controllers that alone
  ///   the rule concerns. Other appliances make their metrics known by sending them.
  static func requireNamed(_ rule: Rule, in session: PostgresSession) throws {
    let named = rule.scope.named
    let dialects =
      try named.isEmpty
      ? [:]
      : Dictionary(
        session.query("SELECT id, dialect FROM appliances WHERE id = ANY($1)", [.textArray(named.map(\.name))])
          .decode(String.self, String.self).map { ($0.0, $0.1) }
      ) { first, _ in first }
    if let unknown = named.first(where: { dialects[$0.name] == nil }) {
      throw RuleError(
        unknown.path,
        "names the appliance '\(unknown.name.prefix(64))', which is not registered: register it first, or use a pattern with *")
    }
    try requireSensor(rule, isOnlyNamed: named.count == rule.scope.appliances.count, dialects, in: session)
  }

  private static func requireSensor(
    _ rule: Rule, isOnlyNamed: Bool, _ dialects: [String: String], in session: PostgresSession
  ) throws {
    let areControllers =
      rule.scope.dialects == [.webmacs]
      || !dialects.isEmpty && isOnlyNamed && dialects.values.allSatisfy { $0 == Dialect.webmacs.rawValue }
    guard areControllers, let metric = rule.condition.metric, metric.isLiteral else { return }
    let controllers: PostgresValue = isOnlyNamed && !dialects.isEmpty ? .textArray(dialects.keys.sorted()) : .null
    let isKnown = try session.query(
      "SELECT EXISTS (SELECT FROM sensors WHERE public_id = $1 AND ($2::text[] IS NULL OR appliance_id = ANY($2)))",
      [.text(metric.description), controllers]
    ).decode(Bool.self)
    guard isKnown == [true] else {
      throw RuleError(
        "when.metric", "names the sensor '\(metric)', which these lab controllers do not have: add it first, or use a pattern with *")
    }
  }
}
