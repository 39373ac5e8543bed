package import Models
import PostgresClient
package import RuleEvaluation

extension HistoryStore {
  /// The appliances with events in a window that a rule concerns, whether or not they are registered.
  package func backtested(by rule: Rule, in window: HistoryWindow) async throws -> [ApplianceID] {
    // One look into the index for each appliance, past all of its events.
    let rows = try await query(
      """
      WITH RECURSIVE ids (id) AS (
        (SELECT appliance_id FROM events WHERE received_at >= $1 AND received_at < $2 ORDER BY appliance_id LIMIT 1)
        UNION ALL
        SELECT (
          SELECT e.appliance_id FROM events e WHERE e.received_at >= $1 AND e.received_at < $2 AND e.appliance_id > ids.id
          ORDER BY e.appliance_id LIMIT 1)
        FROM ids WHERE ids.id IS NOT NULL
      )
      SELECT ids.id, dialect FROM ids LEFT JOIN appliances USING (id) WHERE ids.id IS NOT NULL
      """, [.timestamptz(window.from), .timestamptz(window.to)])
    return try rows.decode(String.self, String?.self).compactMap { id, dialect in
      let id = try ApplianceID(id)
      return rule.scope.contains(id, dialect: dialect.flatMap(Dialect.init)) ? id : nil
    }
  }
}
