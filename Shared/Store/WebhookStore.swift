package import Models
package import PostgresClient

/// Webhooks as their owners see them: the API's and the command line's side.
///
/// Who changes something here publishes on `Bus.changes` afterwards.
package struct WebhookStore: Sendable {
  let pool: PostgresPool
  /// Limit for one call, which a person waits for.
  static let callTimeout: Duration = .seconds(5)
  /// Of one owner.
  package static let countMax = 100

  package init(_ pool: PostgresPool) { self.pool = pool }

  private static let columns = """
    id::text, owner_id, name, url, event_types, appliance_ids, in_flight_max, created_at, disabled_at, disabled_because, failing_since
    """

  private static func decode(_ rows: PostgresRows) throws -> [Webhook] {
    try rows.decode(
      String.self, String.self, String.self, String.self, [String].self, [String].self, Int.self, PostgresTimestamp.self,
      PostgresTimestamp?.self, String?.self, PostgresTimestamp?.self
    ).map { row in
      let settings = WebhookSettings(
        name: row.2, url: row.3, types: Set(try row.4.map { try stored($0, "event type of a webhook") }),
        appliances: Set(try row.5.map { try ApplianceID($0) }), inFlightMax: row.6)
      var disabled: Webhook.Disabled?
      if let at = row.8, let because = row.9 { disabled = .init(at: Timestamp(at), because: try stored(because, "reason of a webhook")) }
      return Webhook(
        id: try known(row.0), ownerID: row.1, settings: settings, createdAt: Timestamp(row.7), disabled: disabled,
        failingSince: row.10.map(Timestamp.init))
    }
  }

  static func known(_ uuid: String) throws(StoreError) -> WebhookID {
    guard let id = WebhookID(uuid) else { throw StoreError(.schemaTooNew, "A webhook's id is no UUID: use a newer build") }
    return id
  }

  package typealias Page = HistoryPage<Webhook, WebhookID>

  /// Webhooks in the order of their ids.
  ///
  /// - Parameters:
  ///   - ownerID: nil for those of everybody.
  ///   - after: `next` of the page before.
  package func webhooks(of ownerID: String?, after: WebhookID? = nil, limit: Int = 100) async throws -> Page {
    let rows = try await pool.query(
      """
      SELECT \(Self.columns) FROM webhooks WHERE ($1::text IS NULL OR owner_id = $1) AND ($2::text IS NULL OR id > $2::text::uuid)
      ORDER BY id LIMIT $3
      """, [ownerID.map { .text($0) } ?? .null, after.map { .text($0.text) } ?? .null, Page.rowCount(limit)], timeout: Self.callTimeout)
    return Page(try Self.decode(rows), limit: limit) { $0.last?.id }
  }

  /// One webhook; nil when there is none of this id, or none of this owner's.
  ///
  /// - Parameter ownerID: nil for anybody's.
  package func webhook(_ id: WebhookID, of ownerID: String?) async throws -> Webhook? {
    let rows = try await pool.query(
      "SELECT \(Self.columns) FROM webhooks WHERE id = $1::text::uuid AND ($2::text IS NULL OR owner_id = $2)",
      [.text(id.text), ownerID.map { .text($0) } ?? .null], timeout: Self.callTimeout)
    return try Self.decode(rows).first
  }

  /// The owner's webhook of this name, if there is one.
  package func webhook(named name: String, of ownerID: String) async throws -> Webhook? {
    let rows = try await pool.query(
      "SELECT \(Self.columns) FROM webhooks WHERE owner_id = $1 AND name = $2", [.text(ownerID), .text(name)], timeout: Self.callTimeout)
    return try Self.decode(rows).first
  }

  /// Whether the webhook's messages are signed with this secret. Only the tables' owner may ask.
  package func signs(_ secret: WebhookSecret, for id: WebhookID) async throws -> Bool {
    let rows = try await pool.query(
      """
      SELECT EXISTS (
        SELECT FROM webhook_secrets WHERE webhook_id = $1::text::uuid AND secret = $2 AND (expires_at IS NULL OR expires_at > now()))
      """, [.text(id.text), .bytea(secret.bytes)], timeout: Self.callTimeout)
    return try rows.decode(Bool.self) == [true]
  }

  /// Adds a webhook, enabled.
  ///
  /// - Throws: `StoreError` `.alreadyExists` for a name that the owner has used; `.notFound` when there is no such owner; `.inUse` past `countMax`.
  package func create(_ settings: WebhookSettings, of ownerID: String, secret: WebhookSecret) async throws -> Webhook {
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      try Self.create(settings, of: ownerID, secret: secret, in: session)
    }
  }

  static func create(
    _ settings: WebhookSettings, of ownerID: String, secret: WebhookSecret, in session: PostgresSession
  ) throws -> Webhook {
    guard AccountStore.canBeStored(ownerID) else { throw StoreError.noUser(ownerID) }
    let present = try session.query("SELECT count(*) FROM webhooks WHERE owner_id = $1", [.text(ownerID)]).decode(Int.self).first ?? 0
    guard present < countMax else {
      throw StoreError(.inUse, "The user '\(ownerID.prefix(80))' has \(present) webhooks already, which is as many as there may be")
    }
    let webhook = try insert(settings, of: ownerID, in: session)
    try session.execute(
      "INSERT INTO webhook_secrets (webhook_id, secret) VALUES ($1::text::uuid, $2)", [.text(webhook.id.text), .bytea(secret.bytes)])
    return webhook
  }

  private static func insert(_ settings: WebhookSettings, of ownerID: String, in session: PostgresSession) throws -> Webhook {
    do {
      let rows = try session.query(
        """
        INSERT INTO webhooks (owner_id, name, url, event_types, appliance_ids, in_flight_max) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (owner_id, name) DO NOTHING RETURNING \(columns)
        """, [.text(ownerID)] + settings.parameters)
      guard let webhook = try decode(rows).first else { throw StoreError.webhookName(settings.name) }
      return webhook
    } catch let error as PostgresError where error.isBrokenReference {
      throw StoreError.noUser(ownerID)
    }
  }

  /// Gives the webhook these settings, and enables or disables it where that is asked for. To enable one forgets its failures.
  ///
  /// - Throws: `StoreError` `.notFound`, and `.alreadyExists` for a name that the owner has used.
  package func change(_ id: WebhookID, to settings: WebhookSettings, enabled: Bool? = nil) async throws -> Webhook {
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      try Self.change(id, to: settings, enabled: enabled, in: session)
    }
  }

  static func change(
    _ id: WebhookID, to settings: WebhookSettings, enabled: Bool?, in session: PostgresSession
  ) throws -> Webhook {
    do {
      let rows = try session.query(
        """
        UPDATE webhooks SET name = $2, url = $3, event_types = $4, appliance_ids = $5, in_flight_max = $6,
          disabled_at = CASE WHEN $7 THEN NULL WHEN NOT $7 THEN coalesce(disabled_at, now()) ELSE disabled_at END,
          disabled_because = CASE WHEN $7 THEN NULL WHEN NOT $7 THEN coalesce(disabled_because, 'user') ELSE disabled_because END,
          failing_since = CASE WHEN $7 THEN NULL ELSE failing_since END, held_until = CASE WHEN $7 THEN NULL ELSE held_until END
        WHERE id = $1::text::uuid RETURNING \(columns)
        """, [.text(id.text)] + settings.parameters + [enabled.map { .bool($0) } ?? .null])
      guard let webhook = try decode(rows).first else { throw StoreError.noWebhook(id) }
      return webhook
    } catch let error as PostgresError where error.sqlState == "23505" {
      throw StoreError.webhookName(settings.name)
    }
  }

  /// Removes a webhook with what waits for it and what is known of its deliveries.
  ///
  /// - Throws: `StoreError` `.notFound`.
  package func delete(_ id: WebhookID) async throws {
    // What waits goes with it, which may be much.
    guard try await pool.execute("DELETE FROM webhooks WHERE id = $1::text::uuid", [.text(id.text)], timeout: .seconds(30)) == 1 else {
      throw StoreError.noWebhook(id)
    }
  }

  /// Adds a secret. Those before go on signing for `overlap`, beside it, and then end.
  ///
  /// - Throws: `StoreError` `.notFound`, and `.inUse` when too many are valid at a time.
  package func rotateSecret(of id: WebhookID, to secret: WebhookSecret, overlap: Duration, now: Timestamp) async throws {
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      guard try !session.query("SELECT FROM webhooks WHERE id = $1::text::uuid FOR NO KEY UPDATE", [.text(id.text)]).isEmpty else {
        throw StoreError.noWebhook(id)
      }
      try session.execute(
        "UPDATE webhook_secrets SET expires_at = least(expires_at, $2) WHERE webhook_id = $1::text::uuid",
        [.text(id.text), .timestamptz(now + overlap)])
      let valid =
        try session.query(
          "SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1::text::uuid AND expires_at > $2", [.text(id.text), .timestamptz(now)]
        ).decode(Int.self).first ?? 0
      guard valid < Self.secretsMax else {
        throw StoreError(.inUse, "\(valid) earlier secrets are still valid: rotate with no overlap to end them")
      }
      try session.execute(
        "INSERT INTO webhook_secrets (webhook_id, secret) VALUES ($1::text::uuid, $2)", [.text(id.text), .bytea(secret.bytes)])
    }
  }

  /// Secrets of one webhook that may be valid at a time; each makes the header longer.
  package static let secretsMax = 5
}

extension AccountStore {
  /// The webhooks of the same database.
  package var webhooks: WebhookStore { WebhookStore(pool) }
}

extension StoreError {
  static func noWebhook(_ id: WebhookID) -> StoreError { StoreError(.notFound, "There is no webhook '\(id)'") }

  static func webhookName(_ name: String) -> StoreError {
    StoreError(.alreadyExists, "The owner has a webhook '\(name.prefix(80))' already: choose another name")
  }
}
