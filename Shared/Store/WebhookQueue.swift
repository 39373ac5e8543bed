package import Models
package import PostgresClient

/// What waits to be delivered: the dispatcher's side. Every call is one transaction's part, on the session that is given.
package enum WebhookQueue {
  /// A webhook for which something is due. While the transaction lasts, no other replica takes anything for it.
  package struct Endpoint: Hashable, Sendable {
    package let id: WebhookID
    package let url: String
    package let inFlightMax: Int
    /// Whether nothing has succeeded since a failure.
    package let isFailing: Bool
    /// Those that are valid, the newest first.
    package let secrets: [WebhookSecret]

    /// Whether its messages keep their order.
    package var isOrdered: Bool { inFlightMax == 1 }
  }

  /// A delivery that is this replica's until the lease ends.
  package struct Claim: Hashable, Sendable {
    package let deliveryID: Int64
    package let webhookID: WebhookID
    package let messageID: WebhookMessageID
    package let lease: Int64
    /// The attempt's number, from 1.
    package let attempt: Int
    /// Attempts of this round that failed.
    package let failureCount: Int
    /// Since when it is due.
    package let dueAt: Timestamp
    package let body: [UInt8]
  }

  /// How many attempts may be made for an endpoint now.
  package struct Allowance: Hashable, Sendable {
    package let endpoint: Endpoint
    package var count: Int

    package init(_ endpoint: Endpoint, count: Int) { (self.endpoint, self.count) = (endpoint, count) }
  }

  /// Webhooks for which something is due, locked against other replicas; those that are locked already are left out. Healthy ones come first.
  ///
  /// - Parameter busy: those for which nothing more can be done now.
  package static func endpoints(besides busy: [WebhookID], limit: Int, in session: PostgresSession) throws -> [Endpoint] {
    let rows = try session.query(due, [.textArray(busy.map(\.text)), .int8(Int64(limit))])
    return try rows.decode(String.self, String.self, Int.self, Bool.self, [String].self).map { row in
      Endpoint(
        id: try WebhookStore.known(row.0), url: row.1, inFlightMax: row.2, isFailing: row.3,
        secrets: row.4.compactMap { WebhookSecret(bytes(hex: $0)) })
    }
  }

  /// Steps through the index from webhook to webhook, however much waits for each.
  private static let due = """
    WITH RECURSIVE waiting AS (
      (SELECT webhook_id FROM webhook_deliveries WHERE state = 'pending' ORDER BY webhook_id LIMIT 1)
      UNION ALL
      SELECT (
        SELECT next.webhook_id FROM webhook_deliveries next WHERE next.state = 'pending' AND next.webhook_id > waiting.webhook_id
        ORDER BY next.webhook_id LIMIT 1
      ) FROM waiting WHERE waiting.webhook_id IS NOT NULL
    )
    SELECT webhook.id::text, webhook.url, webhook.in_flight_max, webhook.failing_since IS NOT NULL,
      ARRAY(
        SELECT encode(secret, 'hex') FROM webhook_secrets
        WHERE webhook_id = webhook.id AND (expires_at IS NULL OR expires_at > now()) ORDER BY created_at DESC)
    FROM waiting JOIN webhooks webhook ON webhook.id = waiting.webhook_id
    WHERE webhook.disabled_at IS NULL AND (webhook.held_until IS NULL OR webhook.held_until <= now())
      AND NOT webhook.id = ANY ($1::text[]::uuid[])
      AND (
        EXISTS (\(dueIn("0"))) OR EXISTS (\(dueIn("1"))))
    ORDER BY webhook.failing_since IS NOT NULL, random() LIMIT $2
    FOR NO KEY UPDATE OF webhook SKIP LOCKED
    """

  private static func dueIn(_ lane: String) -> String {
    """
    SELECT FROM webhook_deliveries WHERE webhook_id = webhook.id AND state = 'pending' AND lane = \(lane) AND due_at <= now()
      AND (leased_until IS NULL OR leased_until <= now())
    """
  }

  /// Takes due deliveries, discrete events before telemetry and the oldest first, and notes that they are being tried. A lease that has run out
  /// is a replica that died: its attempt is noted as interrupted.
  ///
  /// To be called in the transaction that has locked the endpoints.
  package static func claim(
    _ allowances: [Allowance], lease: Int64, for duration: Duration, in session: PostgresSession
  ) throws -> [Claim] {
    var claims: [Claim] = []
    var left = allowances.filter { $0.count > 0 }
    for lane in 0...1 where !left.isEmpty {
      let taken = try claim(left, lane: Int16(lane), lease: lease, for: duration, in: session)
      claims += taken
      let counts = Dictionary(taken.map { ($0.webhookID, 1) }, uniquingKeysWith: +)
      left = left.map { Allowance($0.endpoint, count: $0.count - counts[$0.endpoint.id, default: 0]) }.filter { $0.count > 0 }
    }
    return claims
  }

  private static func claim(
    _ allowances: [Allowance], lane: Int16, lease: Int64, for duration: Duration, in session: PostgresSession
  ) throws -> [Claim] {
    let rows = try session.query(
      take,
      [
        .textArray(allowances.map(\.endpoint.id.text)), .int8Array(allowances.map { Int64($0.count) }),
        .int8Array(allowances.map { $0.endpoint.isOrdered ? 1 : 0 }), .int2(lane), .int8(lease), .int8(Int64(duration / .milliseconds(1))),
      ])
    return try rows.decode(Int64.self, String.self, String.self, Int.self, Int.self, PostgresTimestamp.self, [UInt8].self).map { row in
      Claim(
        deliveryID: row.0, webhookID: try WebhookStore.known(row.1), messageID: WebhookMessageID(uuid: row.2), lease: lease,
        attempt: row.3, failureCount: row.4, dueAt: Timestamp(row.5), body: row.6)
    }
  }

  /// Where order matters, the head of the line is the only candidate, and nothing is taken while it is being tried.
  private static let take = """
    WITH head AS (
      SELECT candidate.* FROM unnest($1::text[], $2::int8[], $3::int8[]) AS endpoint (webhook_id, count, ordered)
      CROSS JOIN LATERAL (
        SELECT id, lease, leased_until, due_at, attempt_count FROM webhook_deliveries
        WHERE webhook_id = endpoint.webhook_id::uuid AND state = 'pending' AND lane = $4 AND due_at <= now()
          AND (endpoint.ordered = 1 OR leased_until IS NULL OR leased_until <= now())
        ORDER BY due_at, id LIMIT endpoint.count
      ) AS candidate
      WHERE candidate.leased_until IS NULL OR candidate.leased_until <= now()
    ), taken AS (
      UPDATE webhook_deliveries delivery
      SET lease = $5, leased_until = now() + $6 * interval '1 millisecond', attempt_count = delivery.attempt_count + 1
      FROM head WHERE delivery.id = head.id AND delivery.state = 'pending'
      RETURNING delivery.id, delivery.webhook_id, delivery.message_id, delivery.attempt_count, delivery.failure_count, head.due_at,
        head.lease IS NOT NULL AS was_leased, head.leased_until
    ), interrupted AS (
      INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, failure, detail)
      SELECT id, attempt_count - 1, leased_until - $6 * interval '1 millisecond', $6, 'interrupted',
        'The process that made this attempt ended before it knew the outcome: the message may have arrived'
      FROM taken WHERE was_leased
      ON CONFLICT (delivery_id, number) DO NOTHING
    )
    SELECT taken.id, taken.webhook_id::text, taken.message_id::text, taken.attempt_count, taken.failure_count::int, taken.due_at, message.body
    FROM taken JOIN webhook_messages message ON message.id = taken.message_id ORDER BY taken.due_at, taken.id
    """

  private static func bytes(hex: String) -> [UInt8] {
    let digits = hex.utf8.map { $0 < UInt8(ascii: "a") ? $0 - UInt8(ascii: "0") : $0 - UInt8(ascii: "a") + 10 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}
