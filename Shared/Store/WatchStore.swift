package import Models
package import PostgresClient

/// A session in which a user watched a camera: who, what, when, how it ended.
package struct WatchRecord: Hashable, Sendable {
  package let id: WatchID
  package let device: ApplianceID
  package let userID: String
  package let startedAt: Timestamp
  /// When the device first answered; nil when it never did, and while that is not written.
  package var answeredAt: Timestamp?
  package var end: End?
  /// Who asked for its end, being no part of it, and when.
  package var endRequest: EndRequest?

  package struct End: Hashable, Sendable {
    package let at: Timestamp
    package let reason: WatchEndReason

    package init(at: Timestamp, reason: WatchEndReason) { (self.at, self.reason) = (at, reason) }
  }

  package struct EndRequest: Hashable, Sendable {
    package let at: Timestamp
    package let userID: String
  }

  package init(
    id: WatchID, device: ApplianceID, userID: String, startedAt: Timestamp, answeredAt: Timestamp? = nil, end: End? = nil,
    endRequest: EndRequest? = nil
  ) {
    (self.id, self.device, self.userID, self.startedAt) = (id, device, userID, startedAt)
    (self.answeredAt, self.end, self.endRequest) = (answeredAt, end, endRequest)
  }
}

/// Which sessions are asked for.
package struct WatchSelection: Hashable, Sendable {
  /// Nil for those of all devices.
  package var device: ApplianceID?
  /// Who watched; nil for everybody.
  package var userID: String?
  /// Only those that go on, or only those that are over; nil for both.
  package var isOpen: Bool?

  package init(device: ApplianceID? = nil, userID: String? = nil, isOpen: Bool? = nil) {
    (self.device, self.userID, self.isOpen) = (device, userID, isOpen)
  }
}

/// Where a page of sessions ended.
package struct WatchPosition: Hashable, Sendable {
  package let startedAt: Timestamp
  package let id: WatchID

  package init(startedAt: Timestamp, id: WatchID) { (self.startedAt, self.id) = (startedAt, id) }
}

/// Watch sessions in PostgreSQL: written by the signaling broker, read and ended by the API.
package struct WatchStore: Sendable {
  let pool: PostgresPool
  let timeout: Duration

  /// - Parameter timeout: limit for one call.
  package init(_ pool: PostgresPool, timeout: Duration = .seconds(10)) { (self.pool, self.timeout) = (pool, timeout) }

  // MARK: The broker

  /// Writes what began and what ended. Writing the same again changes nothing, and a session that has ended stays as it is.
  package func write(_ records: [WatchRecord]) async throws {
    guard !records.isEmpty else { return }
    try await pool.execute(
      """
      INSERT INTO watch_sessions (id, appliance_id, user_id, started_at, answered_at, ended_at, reason)
      SELECT DISTINCT ON (id) id::uuid, appliance_id, user_id, started_at, answered_at, ended_at, reason
      FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[])
        AS record (id, appliance_id, user_id, started_at, answered_at, ended_at, reason)
      ORDER BY id, ended_at NULLS LAST
      ON CONFLICT (id) DO UPDATE SET answered_at = excluded.answered_at, ended_at = excluded.ended_at, reason = excluded.reason
      WHERE watch_sessions.ended_at IS NULL AND excluded.ended_at IS NOT NULL
      """,
      [
        .textArray(records.map(\.id.text)), .textArray(records.map(\.device.rawValue)), .textArray(records.map(\.userID)),
        .timestamptzArray(records.map { PostgresTimestamp($0.startedAt) }),
        .timestamptzArray(records.map { $0.answeredAt.map(PostgresTimestamp.init) }),
        .timestamptzArray(records.map { $0.end.map { PostgresTimestamp($0.at) } }), .textArray(records.map { $0.end?.reason.rawValue }),
      ], timeout: timeout)
  }

  /// Sessions that somebody asked to end and that have not ended, the oldest first.
  package func endRequests(limit: Int) async throws -> [WatchID] {
    let rows = try await pool.query(
      "SELECT id::text FROM watch_sessions WHERE ended_at IS NULL AND end_requested_at IS NOT NULL ORDER BY started_at LIMIT $1",
      [.int8(Int64(limit))], timeout: timeout)
    return try rows.decode(String.self).compactMap { WatchID($0) }
  }

  /// Open sessions that began before a moment: longer ago than any may last, so the broker lost them. They ended with an error.
  ///
  /// - Returns: how many.
  package func closeAbandoned(startedBefore moment: Timestamp, now: Timestamp) async throws -> Int {
    try await pool.execute(
      "UPDATE watch_sessions SET ended_at = $2, reason = 'error' WHERE ended_at IS NULL AND started_at < $1",
      [.timestamptz(moment), .timestamptz(now)], timeout: timeout)
  }

  // MARK: The API

  package typealias Page = HistoryPage<WatchRecord, WatchPosition>

  /// Sessions, newest first.
  ///
  /// - Parameter after: `next` of the page before.
  package func watches(_ selection: WatchSelection, after: WatchPosition? = nil, limit: Int = 100) async throws -> Page {
    let end = (after?.startedAt ?? HistoryWindow().to, after?.id.text ?? "00000000-0000-0000-0000-000000000000")
    let found = try await watches(
      """
      ($1::text IS NULL OR appliance_id = $1) AND ($2::bool IS NULL OR (ended_at IS NULL) = $2) AND ($6::text IS NULL OR user_id = $6)
      AND (started_at, id) < ($3, $4::text::uuid) ORDER BY started_at DESC, id DESC LIMIT $5
      """,
      [
        selection.device.map { .text($0.rawValue) } ?? .null, selection.isOpen.map { .bool($0) } ?? .null, .timestamptz(end.0),
        .text(end.1), Page.rowCount(limit), selection.userID.map { .text($0) } ?? .null,
      ])
    return Page(found, limit: limit) { items in items.last.map { WatchPosition(startedAt: $0.startedAt, id: $0.id) } }
  }

  /// One session; nil if there is none of this id.
  package func watch(_ id: WatchID) async throws -> WatchRecord? {
    try await watches("id = $1::text::uuid", [.text(id.text)]).first
  }

  /// Asks the broker to end a session. Publish its id on `Bus.signalEnds` afterwards: then it happens at once, else within seconds.
  ///
  /// - Returns: whether there is such a session and it goes on.
  package func requestEnd(_ id: WatchID, by userID: String, now: Timestamp) async throws -> Bool {
    let count = try await pool.execute(
      """
      UPDATE watch_sessions SET end_requested_at = coalesce(end_requested_at, $3), end_requested_by = coalesce(end_requested_by, $2)
      WHERE id = $1::text::uuid AND ended_at IS NULL
      """, [.text(id.text), .text(userID), .timestamptz(now)], timeout: timeout)
    return count == 1
  }

  private func watches(_ condition: String, _ parameters: [PostgresValue]) async throws -> [WatchRecord] {
    let rows = try await pool.query(
      """
      SELECT id::text, appliance_id, user_id, started_at, answered_at, ended_at, reason, end_requested_at, end_requested_by
      FROM watch_sessions WHERE \(condition)
      """, parameters, timeout: timeout
    ).decode(
      String.self, String.self, String.self, PostgresTimestamp.self, PostgresTimestamp?.self, PostgresTimestamp?.self, String?.self,
      PostgresTimestamp?.self, String?.self)
    return try rows.map { row in
      guard let id = WatchID(row.0) else { throw StoreError(.schemaTooNew, "A watch session's id is no UUID: use a newer build") }
      var record = WatchRecord(
        id: id, device: try ApplianceID(row.1), userID: row.2, startedAt: Timestamp(row.3), answeredAt: row.4.map(Timestamp.init))
      if let endedAt = row.5, let reason = row.6 {
        record.end = .init(at: Timestamp(endedAt), reason: try stored(reason, "reason of a watch session"))
      }
      if let at = row.7, let by = row.8 { record.endRequest = .init(at: Timestamp(at), userID: by) }
      return record
    }
  }
}

/// What is known of an appliance that connects to the broker as a camera.
package struct Camera: Hashable, Sendable {
  package let hasSecret: Bool
  /// Whether it is registered so.
  package let acceptsUnproven: Bool

  /// It is taken at its word.
  package var needsNoProof: Bool { acceptsUnproven && !hasSecret }
}

extension WatchStore {
  /// Nil when there is no such appliance.
  package func camera(_ device: ApplianceID) async throws -> Camera? {
    let rows = try await pool.query(
      """
      SELECT secret_sha256 IS NOT NULL, accepts_unproven
      FROM appliances LEFT JOIN device_credentials ON appliance_id = id WHERE id = $1
      """, [.text(device.rawValue)], timeout: timeout)
    return try rows.decode(Bool.self, Bool.self).first.map(Camera.init)
  }
}
