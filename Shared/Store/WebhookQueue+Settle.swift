package import Models
package import PostgresClient

extension WebhookQueue {
  /// What became of an attempt, and what follows for its delivery.
  package struct Result: Sendable {
    package enum Next: Hashable, Sendable {
      case delivered
      /// It is tried again from this moment on; nil when it stays where it is in the line.
      case retry(at: Timestamp?)
      case dead
    }

    package let claim: Claim
    package let attempt: WebhookAttempt
    package let next: Next

    package init(_ claim: Claim, _ attempt: WebhookAttempt, next: Next) { (self.claim, self.attempt, self.next) = (claim, attempt, next) }
  }

  /// What follows for a webhook.
  package struct Standing: Hashable, Sendable {
    package let id: WebhookID
    /// Whether its newest attempt failed.
    package let hasFailed: Bool
    /// Whether it was in trouble when the attempt began.
    package let wasFailing: Bool
    /// Nothing is tried before.
    package var heldUntil: Timestamp?
    /// It answered 410.
    package var isGone = false

    package init(_ id: WebhookID, hasFailed: Bool, wasFailing: Bool) {
      (self.id, self.hasFailed, self.wasFailing) = (id, hasFailed, wasFailing)
    }
  }

  /// Notes attempts, and moves their deliveries on.
  ///
  /// A delivery whose lease somebody else has by now moves on only if it has arrived. Either way the attempt is noted, for it was made.
  package static func settle(_ results: [Result], in session: PostgresSession) throws(PostgresError) {
    guard !results.isEmpty else { return }
    try session.execute(
      """
      INSERT INTO webhook_attempts AS known (delivery_id, number, started_at, duration_ms, status, failure, detail)
      SELECT delivery_id, number, started_at, duration_ms, status, failure, detail
      FROM unnest($1::int8[], $2::int8[], $3::timestamptz[], $4::int8[], $5::int8[], $6::text[], $7::text[])
        AS made (delivery_id, number, started_at, duration_ms, status, failure, detail)
      WHERE EXISTS (SELECT FROM webhook_deliveries WHERE id = made.delivery_id)
      ON CONFLICT (delivery_id, number) DO UPDATE SET started_at = excluded.started_at, duration_ms = excluded.duration_ms,
        status = excluded.status, failure = excluded.failure, detail = excluded.detail
      """,
      [
        .int8Array(results.map(\.claim.deliveryID)), .int8Array(results.map { Int64($0.attempt.number) }),
        .timestamptzArray(results.map { PostgresTimestamp($0.attempt.startedAt) }),
        .int8Array(results.map { Int64($0.attempt.duration_ms) }),
        .int8Array(results.map { $0.attempt.status.map(Int64.init) }), .textArray(results.map { $0.attempt.failure?.rawValue }),
        .textArray(results.map { $0.attempt.detail?.storable }),
      ])
    try session.execute(
      """
      UPDATE webhook_deliveries delivery SET state = made.state, lease = NULL, leased_until = NULL,
        settled_at = CASE WHEN made.state <> 'pending' THEN now() END, due_at = coalesce(made.due_at, delivery.due_at),
        failure_count = delivery.failure_count + CASE WHEN made.state = 'delivered' THEN 0 ELSE 1 END
      FROM unnest($1::int8[], $2::int8[], $3::text[], $4::timestamptz[]) AS made (delivery_id, lease, state, due_at)
      WHERE delivery.id = made.delivery_id AND delivery.state = 'pending' AND (delivery.lease = made.lease OR made.state = 'delivered')
      """,
      [
        .int8Array(results.map(\.claim.deliveryID)), .int8Array(results.map(\.claim.lease)), .textArray(results.map(\.state)),
        .timestamptzArray(results.map { $0.dueAt.map(PostgresTimestamp.init) }),
      ])
  }

  /// Notes how webhooks are doing. One that is gone, or has failed for as long as `patience` without a success, is disabled, and its owner's other
  /// webhooks are told.
  ///
  /// - Returns: those that were disabled, and why.
  package static func note(
    _ standings: [Standing], patience: Duration, now: Timestamp, in session: PostgresSession
  ) throws -> [(id: WebhookID, because: WebhookDisabling)] {
    guard !standings.isEmpty else { return [] }
    // In one order everywhere, so that no two replicas wait for each other.
    let standings = standings.sorted { $0.id < $1.id }
    let rows = try session.query(
      """
      WITH seen AS (
        SELECT id::uuid, failed = 1 AS failed, gone = 1 AS gone, held_until
        FROM unnest($1::text[], $2::int8[], $3::int8[], $4::timestamptz[]) AS s (id, failed, gone, held_until)
      ), locked AS (
        SELECT webhook.id, disabled_at, failing_since FROM webhooks webhook JOIN seen USING (id) ORDER BY id FOR NO KEY UPDATE OF webhook
      ), judged AS (
        SELECT locked.id, seen.failed, seen.held_until, CASE
          WHEN locked.disabled_at IS NOT NULL THEN NULL WHEN seen.gone THEN 'gone'
          WHEN seen.failed AND locked.failing_since <= $5 THEN 'failing' END AS verdict
        FROM locked JOIN seen USING (id)
      ), noted AS (
        UPDATE webhooks webhook SET
          failing_since = CASE WHEN judged.failed THEN coalesce(webhook.failing_since, $6) END,
          held_until = CASE WHEN judged.failed THEN greatest(webhook.held_until, judged.held_until) END,
          disabled_at = CASE WHEN judged.verdict IS NOT NULL THEN $6 ELSE webhook.disabled_at END,
          disabled_because = coalesce(judged.verdict, webhook.disabled_because)
        FROM judged WHERE webhook.id = judged.id
        RETURNING webhook.id, webhook.name, judged.verdict
      )
      SELECT id::text, name, verdict FROM noted WHERE verdict IS NOT NULL ORDER BY id
      """,
      [
        .textArray(standings.map(\.id.text)), .int8Array(standings.map { $0.hasFailed ? 1 : 0 }),
        .int8Array(standings.map { $0.isGone ? 1 : 0 }), .timestamptzArray(standings.map { $0.heldUntil.map(PostgresTimestamp.init) }),
        .timestamptz(now + (.zero - patience)), .timestamptz(now),
      ])
    return try rows.decode(String.self, String.self, String.self).map { row in
      let (id, reason): (WebhookID, WebhookDisabling) = (try WebhookStore.known(row.0), try stored(row.2, "reason of a webhook"))
      var data: [UInt8] = []
      data.append("\"webhook_id\":")
      data.append(json: id.text)
      data.append(",\"name\":")
      data.append(json: row.1)
      data.append(",\"reason\":")
      data.append(json: reason.rawValue)
      try WebhookRows.tellOthers(.webhookDisabled, about: id, data: data, at: now, key: "\(id) \(now.microseconds)", in: session)
      return (id, reason)
    }
  }

  /// Removes old messages with their deliveries, and secrets that have run out.
  ///
  /// - Parameter limit: messages at most; whoever calls it regularly gets rid of the rest later.
  /// - Returns: how many messages went.
  package static func sweep(storedBefore moment: Timestamp, limit: Int, in session: PostgresSession) throws(PostgresError) -> Int {
    try session.execute("DELETE FROM webhook_secrets WHERE expires_at < now() - interval '1 hour'")
    return try session.execute(
      """
      DELETE FROM webhook_messages WHERE id IN (SELECT id FROM webhook_messages WHERE stored_at < $1 ORDER BY stored_at LIMIT $2)
      """, [.timestamptz(moment), .int8(Int64(limit))])
  }

  /// Gives up the oldest of what waits for a webhook where there is more than is kept, in each lane by itself.
  ///
  /// - Returns: how many deliveries, at most `limit` for each webhook and lane.
  package static func giveUpSurplus(keeping count: Int, limit: Int, in session: PostgresSession) throws(PostgresError) -> Int {
    try session.execute(
      """
      WITH RECURSIVE waiting AS (
        (SELECT webhook_id, lane FROM webhook_deliveries WHERE state = 'pending' ORDER BY webhook_id, lane LIMIT 1)
        UNION ALL
        SELECT next.webhook_id, next.lane FROM waiting CROSS JOIN LATERAL (
          SELECT webhook_id, lane FROM webhook_deliveries
          WHERE state = 'pending' AND (webhook_id, lane) > (waiting.webhook_id, waiting.lane) ORDER BY webhook_id, lane LIMIT 1
        ) AS next
      ), surplus AS (
        SELECT oldest.id FROM waiting CROSS JOIN LATERAL (
          SELECT id, leased_until FROM webhook_deliveries
          WHERE webhook_id = waiting.webhook_id AND lane = waiting.lane AND state = 'pending'
          ORDER BY due_at DESC, id DESC OFFSET $1 LIMIT $2
        ) AS oldest WHERE oldest.leased_until IS NULL OR oldest.leased_until <= now()
      ), given_up AS (
        UPDATE webhook_deliveries delivery SET state = 'dead', settled_at = now(), lease = NULL, leased_until = NULL,
          attempt_count = attempt_count + 1
        FROM surplus WHERE delivery.id = surplus.id AND delivery.state = 'pending' RETURNING delivery.id, delivery.attempt_count
      )
      INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, failure, detail)
      SELECT id, attempt_count, now(), 0, 'overflow', 'Too much waited for this webhook, and this was among the oldest' FROM given_up
      """, [.int8(Int64(count)), .int8(Int64(limit))])
  }
}

extension WebhookQueue.Result {
  fileprivate var state: String {
    switch next {
    case .delivered: WebhookDeliveryState.delivered.rawValue
    case .retry: WebhookDeliveryState.pending.rawValue
    case .dead: WebhookDeliveryState.dead.rawValue
    }
  }

  fileprivate var dueAt: Timestamp? {
    if case .retry(let moment) = next { moment } else { nil }
  }
}
