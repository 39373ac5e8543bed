import Digests
package import Models
package import PostgresClient

/// What is stored already: asked when a log that was lost or rolled back is read anew.
package enum StoredEvents {
  /// Which of these events of the shard are stored: the same place in the log, appliance, type, time and text. (Another event
  /// may have got the place, when the log was rolled back and went on.)
  package static func among(
    _ events: [(id: EventID, event: Event)], shard: Int, in session: PostgresSession
  ) throws(PostgresError) -> Set<EventID> {
    guard !events.isEmpty else { return [] }
    let rows = try session.query(
      """
      SELECT log_ms, candidate.log_seq
      FROM unnest($2::int8[], $3::int8[], $4::text[], $5::text[], $6::int8[], $7::text[])
        AS candidate (log_ms, log_seq, appliance_id, type, timestamp_us, data)
      JOIN events ON events.appliance_id = candidate.appliance_id
        AND events.received_at = timestamptz 'epoch' + candidate.log_ms * interval '1 millisecond'
        AND events.log_seq = candidate.log_seq AND events.shard = $1 AND events.type = candidate.type
        AND events.timestamp = timestamptz 'epoch' + candidate.timestamp_us * interval '1 microsecond'
        AND events.data::text = candidate.data
      """,
      [
        .int2(Int16(shard)), .int8Array(events.map { Int64(clamping: $0.id.milliseconds) }),
        .int8Array(events.map { Int64(clamping: $0.id.sequence) }), .textArray(events.map { $0.event.applianceID.rawValue }),
        .textArray(events.map { $0.event.type.rawValue }), .int8Array(events.map { $0.event.timestamp.microseconds }),
        .textArray(events.map { String(decoding: $0.event.data, as: UTF8.self) }),
      ])
    return Set(try rows.decode(Int64.self, Int64.self).map { EventID(column: $0.0, $0.1) })
  }

  /// Which of these are stored as dead letters of the shard: the same place in the log and the same payload.
  package static func deadLetters(
    among letters: [(id: EventID, payload: [UInt8])], shard: Int, in session: PostgresSession
  ) throws(PostgresError) -> Set<EventID> {
    guard !letters.isEmpty else { return [] }
    let rows = try session.query(
      """
      SELECT log_ms, log_seq FROM dead_letters
      JOIN unnest($2::int8[], $3::int8[], $4::text[]) AS candidate (log_ms, log_seq, digest) USING (log_ms, log_seq)
      WHERE shard = $1 AND encode(sha256(payload), 'hex') = candidate.digest
      """,
      [
        .int2(Int16(shard)), .int8Array(letters.map { Int64(clamping: $0.id.milliseconds) }),
        .int8Array(letters.map { Int64(clamping: $0.id.sequence) }), .textArray(letters.map { Digests.hex(Digests.sha256($0.payload)) }),
      ])
    return Set(try rows.decode(Int64.self, Int64.self).map { EventID(column: $0.0, $0.1) })
  }
}
