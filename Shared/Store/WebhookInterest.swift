package import Models
package import PostgresClient

/// What any webhook wants, as it was last read: whether a message is worth storing can be told without asking PostgreSQL.
///
/// It may be a moment old. Who takes a message is decided by PostgreSQL when it is stored.
package struct WebhookInterest: Hashable, Sendable {
  private struct Scope: Hashable, Sendable {
    var isEverything = false
    var appliances: Set<ApplianceID> = []
  }

  /// Nobody wants anything.
  package static let none = WebhookInterest(scopes: [:])

  private let scopes: [WebhookEventType: Scope]

  package func contains(_ type: WebhookEventType, of appliance: ApplianceID) -> Bool {
    guard let scope = scopes[type] else { return false }
    return scope.isEverything || scope.appliances.contains(appliance)
  }

  package func contains(_ type: WebhookEventType) -> Bool { scopes[type] != nil }

  /// Reads what every enabled webhook wants, of what its owner may see.
  package static func read(in session: PostgresSession) throws -> WebhookInterest {
    let rows = try session.query(
      """
      SELECT webhook.event_types, owner.role = 'admin' AND webhook.appliance_ids = '{}',
        CASE WHEN owner.role = 'admin' THEN webhook.appliance_ids ELSE ARRAY(
          SELECT id FROM (
            SELECT id FROM appliances WHERE owner_id = owner.id
            UNION SELECT appliance_id FROM appliance_shares WHERE user_id = owner.id
          ) AS visible
          WHERE webhook.appliance_ids = '{}' OR id = ANY (webhook.appliance_ids)
        )::text[] END
      FROM webhooks webhook JOIN users owner ON owner.id = webhook.owner_id WHERE webhook.disabled_at IS NULL
      """)
    var scopes: [WebhookEventType: Scope] = [:]
    for (types, isEverything, appliances) in try rows.decode([String].self, Bool.self, [String].self) {
      let known = appliances.compactMap { try? ApplianceID($0) }
      for type in WebhookEventType.selectable where types.isEmpty || types.contains(type.rawValue) {
        scopes[type, default: Scope()].isEverything = scopes[type]?.isEverything == true || isEverything
        scopes[type]?.appliances.formUnion(known)
      }
    }
    return WebhookInterest(scopes: scopes.filter { $0.value.isEverything || !$0.value.appliances.isEmpty })
  }
}
