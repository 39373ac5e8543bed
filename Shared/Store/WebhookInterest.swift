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
  package static let none = WebhookInterest([])

  private let scopes: [WebhookEventType: Scope]

  /// - Parameter wants: for each webhook its types, empty for all, and the appliances that it is told of, nil for all.
  init(_ wants: [(types: [WebhookEventType], appliances: [ApplianceID]?)]) {
    var scopes: [WebhookEventType: Scope] = [:]
    for (types, appliances) in wants where appliances?.isEmpty != true {
      for type in types.isEmpty ? WebhookEventType.selectable : types {
        if appliances == nil { scopes[type, default: Scope()].isEverything = true }
        scopes[type, default: Scope()].appliances.formUnion(appliances ?? [])
      }
    }
    self.scopes = scopes
  }

  package func contains(_ type: WebhookEventType, of appliance: ApplianceID) -> Bool {
    guard let scope = scopes[type] else { return false }
    return scope.isEverything || scope.appliances.contains(appliance)
  }

  /// How often anything has changed that decides who wants what.
  package static func revision(in session: PostgresSession) throws(PostgresError) -> Int64 {
    try session.query("SELECT number FROM revisions WHERE name = 'webhooks'").decode(Int64.self).first ?? 0
  }

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
    return WebhookInterest(
      try rows.decode([String].self, Bool.self, [String].self).map { types, isEverything, appliances in
        (types.compactMap { WebhookEventType(rawValue: $0) }, isEverything ? nil : appliances.compactMap { try? ApplianceID($0) })
      })
  }
}
