package import Models
package import PostgresClient
package import RuleEvaluation

/// A rule as it is stored.
package struct StoredRule: Hashable, Sendable {
  package let id: String
  /// Its own JSON text.
  package let definition: [UInt8]
  package let updatedAt: Timestamp
}

/// A firing as it is stored.
package struct StoredFiring: Hashable, Sendable {
  package let id: Int64
  package let firing: Firing
  package let severity: String
}

/// Where a page that goes by time begins: behind this row.
package struct TimePosition: Hashable, Sendable {
  package let at: Timestamp
  package let id: Int64

  /// - Parameter at: any; a position comes back from a client, who may have made it up.
  package init(at: Timestamp, id: Int64) { (self.at, self.id) = (HistoryWindow.clamped(at), id) }
}

/// Rules and their firings, for those who look after them.
package struct RuleStore: Sendable {
  package typealias RulePage = HistoryPage<StoredRule, String>
  package typealias FiringPage = HistoryPage<StoredFiring, TimePosition>

  let pool: PostgresPool
  private static let timeout = Duration.seconds(10)

  package init(_ pool: PostgresPool) { self.pool = pool }

  /// By id.
  package func rules(after: String? = nil, limit: Int = 100) async throws -> RulePage {
    let rows = try await pool.query(
      "SELECT id, definition, updated_at FROM rules WHERE id > $1 ORDER BY id LIMIT $2", [.text(after ?? ""), RulePage.rowCount(limit)],
      timeout: Self.timeout)
    return RulePage(try rows.decode(String.self, [UInt8].self, PostgresTimestamp.self).map(Self.rule), limit: limit) { $0.last?.id }
  }

  package func rule(_ id: String) async throws -> StoredRule? {
    guard AccountStore.canBeStored(id) else { return nil }
    return try await pool.query("SELECT id, definition, updated_at FROM rules WHERE id = $1", [.text(id)], timeout: Self.timeout)
      .decode(String.self, [UInt8].self, PostgresTimestamp.self).map(Self.rule).first
  }

  private static func rule(_ row: (String, [UInt8], PostgresTimestamp)) -> StoredRule {
    StoredRule(id: row.0, definition: row.1, updatedAt: Timestamp(row.2))
  }

  /// Makes the rule exist as described. Every replica goes by it with its next transaction.
  ///
  /// - Parameter isNew: refuse it where there is one of that id.
  /// - Throws: `StoreError` `.alreadyExists`, `.tooMany`; `RuleError` for what it names that does not exist.
  package func save(_ rule: Rule, isNew: Bool = false) async throws {
    try await pool.withTransaction(timeout: Self.timeout) { session in
      try RuleRows.requireNamed(rule, in: session)
      try RuleRows.save([rule], areNew: isNew, in: session)
    }
  }

  /// Throws what `save` would; nothing is stored.
  package func check(_ rule: Rule) async throws {
    try await pool.withConnection(timeout: Self.timeout) { session in try RuleRows.requireNamed(rule, in: session) }
  }

  /// - Returns: false when there was none.
  package func delete(_ id: String) async throws -> Bool {
    guard AccountStore.canBeStored(id) else { return false }
    return try await pool.withTransaction(timeout: Self.timeout) { session in try RuleRows.delete(id, in: session) }
  }

  /// What fired at an appliance, newest first.
  ///
  /// - Parameter rule: nil for all.
  package func firings(
    of appliance: ApplianceID, rule: String? = nil, in window: HistoryWindow = HistoryWindow(), after: TimePosition? = nil, limit: Int = 100
  ) async throws -> FiringPage {
    let rows = try await pool.query(
      """
      SELECT id, rule_id, metric, value, severity, fired_at FROM rule_firings
      WHERE appliance_id = $1 AND fired_at >= $2 AND fired_at < $3 AND (fired_at, id) < ($4, $5) AND rule_id = coalesce($6, rule_id)
      ORDER BY fired_at DESC, id DESC LIMIT $7
      """,
      [
        appliance.column, .timestamptz(window.from), .timestamptz(window.to), .timestamptz(after?.at ?? window.to), .int8(after?.id ?? 0),
        rule.map(PostgresValue.text) ?? .null, FiringPage.rowCount(limit),
      ], timeout: Self.timeout)
    let firings = try rows.decode(Int64.self, String.self, String.self, Double?.self, String.self, PostgresTimestamp.self).map {
      let firing = Firing(ruleID: $0.1, applianceID: appliance, metric: $0.2, value: $0.3, at: Timestamp($0.5))
      return StoredFiring(id: $0.0, firing: firing, severity: $0.4)
    }
    return FiringPage(firings, limit: limit) { $0.last.map { TimePosition(at: $0.firing.at, id: $0.id) } }
  }
}
