package import Models
internal import PostgresClient

/// Which of a webhook's deliveries are wanted again.
package struct WebhookReplay: Hashable, Sendable {
  /// Those that were made in this stretch of time.
  package let window: HistoryWindow
  /// Whether also those that were delivered: for a receiver that has lost what it had.
  package let includesDelivered: Bool

  package init(_ window: HistoryWindow, includesDelivered: Bool = false) {
    (self.window, self.includesDelivered) = (window, includesDelivered)
  }
}

extension WebhookStore {
  package typealias DeliveryPage = HistoryPage<WebhookDelivery, Int64>

  /// Deliveries of a webhook with their attempts, newest first.
  ///
  /// - Parameters:
  ///   - state: nil for all.
  ///   - after: `next` of the page before.
  package func deliveries(
    of webhook: WebhookID, state: WebhookDeliveryState? = nil, after: Int64? = nil, limit: Int = 100
  ) async throws -> DeliveryPage {
    // The word stands in the statement, so that the index of this state can serve it.
    let condition = state.map { "AND delivery.state = '\($0.rawValue)'" } ?? ""
    let found = try await deliveries(
      "delivery.webhook_id = $1::text::uuid \(condition) AND delivery.id < $2 ORDER BY delivery.id DESC LIMIT $3",
      [.text(webhook.text), .int8(after ?? .max), DeliveryPage.rowCount(limit)])
    return DeliveryPage(found, limit: limit) { $0.last?.id }
  }

  /// One delivery of a webhook with its attempts; nil when there is none of this id.
  package func delivery(_ id: Int64, of webhook: WebhookID) async throws -> WebhookDelivery? {
    try await deliveries("delivery.webhook_id = $1::text::uuid AND delivery.id = $2", [.text(webhook.text), .int8(id)]).first
  }

  private func deliveries(_ condition: String, _ parameters: [PostgresValue]) async throws -> [WebhookDelivery] {
    let rows = try await pool.query(
      """
      SELECT delivery.id, delivery.webhook_id::text, message.id::text, message.type, message.appliance_id, delivery.state,
        delivery.created_at, CASE WHEN delivery.state = 'pending' THEN delivery.due_at END, delivery.settled_at
      FROM webhook_deliveries delivery JOIN webhook_messages message ON message.id = delivery.message_id WHERE \(condition)
      """, parameters, timeout: Self.callTimeout
    ).decode(
      Int64.self, String.self, String.self, String.self, String?.self, String.self, PostgresTimestamp.self, PostgresTimestamp?.self,
      PostgresTimestamp?.self)
    let attempts = try await attempts(of: rows.map(\.0))
    return try rows.map { row in
      WebhookDelivery(
        id: row.0, webhookID: try Self.known(row.1), messageID: WebhookMessageID(uuid: row.2), type: row.3, applianceID: row.4,
        state: try stored(row.5, "state of a delivery"), createdAt: Timestamp(row.6), dueAt: row.7.map(Timestamp.init),
        settledAt: row.8.map(Timestamp.init), attempts: attempts[row.0] ?? [])
    }
  }

  private func attempts(of deliveries: [Int64]) async throws -> [Int64: [WebhookAttempt]] {
    guard !deliveries.isEmpty else { return [:] }
    let rows = try await pool.query(
      """
      SELECT delivery_id, number, started_at, duration_ms, status, failure, detail FROM webhook_attempts
      WHERE delivery_id = ANY ($1) ORDER BY delivery_id, number
      """, [.int8Array(deliveries)], timeout: Self.callTimeout
    ).decode(Int64.self, Int.self, PostgresTimestamp.self, Int.self, Int?.self, String?.self, String?.self)
    var attempts: [Int64: [WebhookAttempt]] = [:]
    for row in rows {
      attempts[row.0, default: []].append(
        WebhookAttempt(
          number: row.1, startedAt: Timestamp(row.2), duration_ms: row.3, status: row.4,
          failure: try row.5.map { try stored($0, "failure of an attempt") }, detail: row.6))
    }
    return attempts
  }

  /// Makes a delivery due now, with all its retries before it, whatever became of it. One that is pending is only tried sooner.
  ///
  /// - Returns: whether there is such a delivery.
  package func retry(_ id: Int64, of webhook: WebhookID) async throws -> Bool {
    try await pool.execute(
      """
      UPDATE webhook_deliveries SET state = 'pending', settled_at = NULL, failure_count = 0, due_at = now()
      WHERE id = $2 AND webhook_id = $1::text::uuid
      """, [.text(webhook.text), .int8(id)], timeout: Self.callTimeout) == 1
  }

  /// Deliveries that one call makes due again.
  package static let replayMax = 10_000

  /// Makes deliveries due again that were settled, the oldest first, at most `replayMax`. They keep their `webhook-id`.
  ///
  /// - Returns: how many, and from when on there may be more; nil when there are none.
  package func replay(_ replay: WebhookReplay, of webhook: WebhookID) async throws -> (count: Int, next: Timestamp?) {
    let rows = try await pool.query(
      """
      WITH again AS (
        UPDATE webhook_deliveries SET state = 'pending', settled_at = NULL, failure_count = 0, due_at = now()
        WHERE id IN (
          SELECT id FROM webhook_deliveries
          WHERE webhook_id = $1::text::uuid AND (state = 'dead' OR ($4 AND state = 'delivered')) AND created_at >= $2 AND created_at < $3
          ORDER BY created_at, id LIMIT $5
        ) RETURNING created_at
      )
      SELECT count(*), max(created_at) FROM again
      """,
      [
        .text(webhook.text), .timestamptz(replay.window.from), .timestamptz(replay.window.to), .bool(replay.includesDelivered),
        .int8(Int64(Self.replayMax)),
      ], timeout: .seconds(30))
    guard let (count, last) = try rows.decode(Int.self, PostgresTimestamp?.self).first else { return (0, nil) }
    return (count, count == Self.replayMax ? last.map(Timestamp.init) : nil)
  }

  /// Makes a message of type `webhook.test` for this webhook alone.
  ///
  /// - Returns: its delivery.
  /// - Throws: `StoreError` `.notFound`, and `.inUse` when the webhook is disabled.
  package func test(_ id: WebhookID, by userID: String, now: Timestamp) async throws -> Int64 {
    try await pool.withTransaction(timeout: Self.callTimeout) { session in
      let rows = try session.query("SELECT disabled_at IS NULL FROM webhooks WHERE id = $1::text::uuid", [.text(id.text)])
      guard let isEnabled = try rows.decode(Bool.self).first else { throw StoreError.noWebhook(id) }
      guard isEnabled else { throw StoreError(.inUse, "The webhook is disabled: enable it first") }
      var data: [UInt8] = []
      data.append("\"webhook_id\":")
      data.append(json: id.text)
      data.append(",\"requested_by\":")
      data.append(json: userID)
      let key = "\(id) \(now.microseconds) \(UInt64.random(in: .min ... .max))"
      guard let delivery = try WebhookRows.tell(.webhookTest, to: id, data: data, at: now, key: key, in: session) else {
        throw StoreError.noWebhook(id)
      }
      return delivery
    }
  }
}
