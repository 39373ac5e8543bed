package import Models
package import PostgresClient

/// Rows for `events`, `readings` and `dead_letters`, and the roll-up of the readings, ready to be sent.
package struct EventRows: Sendable {
  private var events = PostgresCopyWriter(columns: 9)
  private var readings = PostgresCopyWriter(columns: 5)
  private var rollups = ReadingRollups()
  private var deadLetters = PostgresCopyWriter(columns: 7)

  package init() {}

  package var eventCount: Int { events.rowCount }
  package var readingCount: Int { readings.rowCount }
  /// Minutes of one metric each that the readings change.
  package var minuteCount: Int { rollups.rowCount }
  package var deadLetterCount: Int { deadLetters.rowCount }
  package var byteCount: Int { events.byteCount + readings.byteCount + deadLetters.byteCount }

  /// Adds an event and the numbers inside it.
  ///
  /// - Parameters:
  ///   - id: its place in the log, whose milliseconds are the time of receipt.
  ///   - late: a newer event of its type had been stored before.
  package mutating func append(_ event: Event, id: EventID, shard: Int, late: Bool) {
    let receivedAt = PostgresTimestamp(id.receivedAt)
    events.append(timestamp: receivedAt)
    events.append(integer: Int64(clamping: id.sequence))
    events.append(integer: Int16(shard))
    events.append(text: event.applianceID.rawValue)
    events.append(text: event.type.rawValue)
    events.append(timestamp: PostgresTimestamp(event.timestamp))
    events.append(bool: late)
    events.append(bytes: event.data)
    if event.extras.isEmpty {
      events.appendNull()
    } else {
      // ",\"a\":1,\"b\":2" → {"a":1,"b":2}
      events.append(bytes: [UInt8(ascii: "{")] + event.extras.dropFirst() + [UInt8(ascii: "}")])
    }
    for reading in event.readings() {
      readings.append(timestamp: receivedAt)
      readings.append(text: reading.applianceID.rawValue)
      readings.append(text: reading.metric)
      readings.append(timestamp: PostgresTimestamp(reading.timestamp))
      readings.append(double: reading.value)
      rollups.add(reading)
    }
  }

  /// Adds a dead letter. U+0000, which PostgreSQL's text cannot hold, is replaced in topic and reason; the payload is kept as it is.
  package mutating func append(_ letter: DeadLetter, id: EventID, shard: Int) {
    deadLetters.append(timestamp: PostgresTimestamp(letter.receivedAt))
    deadLetters.append(text: letter.topic.storable)
    deadLetters.append(bytes: letter.payload)
    deadLetters.append(text: letter.reason.storable)
    deadLetters.append(integer: Int16(shard))
    deadLetters.append(integer: Int64(clamping: id.milliseconds))
    deadLetters.append(integer: Int64(clamping: id.sequence))
  }

  /// Sends all rows. To be called in a transaction, with the days' partitions made.
  package func write(in session: PostgresSession) throws(PostgresError) {
    if eventCount > 0 {
      try session.copyIn(
        "COPY events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data, extras) FROM STDIN (FORMAT binary)", events)
    }
    if readingCount > 0 {
      try session.copyIn("COPY readings (received_at, appliance_id, metric, timestamp, value) FROM STDIN (FORMAT binary)", readings)
      try rollups.write(in: session)
    }
    if deadLetterCount > 0 {
      try session.copyIn(
        "COPY dead_letters (received_at, topic, payload, reason, shard, log_ms, log_seq) FROM STDIN (FORMAT binary)", deadLetters)
    }
  }
}

extension PostgresTimestamp {
  package init(_ timestamp: Timestamp) { self.init(microseconds: timestamp.microseconds) }
}

extension Timestamp {
  init(_ timestamp: PostgresTimestamp) { self.init(microseconds: timestamp.microseconds) }
}
