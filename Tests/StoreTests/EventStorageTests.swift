import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

@Suite struct EventStorageTests {
  private let cooker: ApplianceID
  private let day: UInt64 = 86_400_000
  private let noon: UInt64 = 1_771_070_400_000  // 2026-02-14T12:00:00Z

  init() throws { cooker = try ApplianceID("EPIC-001") }

  private func event(_ data: String, extras: String = "") throws -> Event {
    Event(
      type: try EventType("cooking:progress"), applianceID: cooker, timestamp: Timestamp(microseconds: 1_771_070_400_123_456),
      data: Array(data.utf8), extras: Array(extras.utf8))
  }

  @Test func `Events, readings and dead letters are stored as they came`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let persister = try await postgres.connect(.persister)
      let id = EventID(milliseconds: noon, sequence: 7)
      var rows = EventRows()
      rows.append(
        try event(#"{"t": 1.50, "n": 123456789012345678901234567890, "z": "\u0000", "in": {"x": [2]}}"#, extras: #","v":1,"w":"ü""#),
        id: id, shard: 3, late: true)
      rows.append(
        DeadLetter(topic: "a\0b", payload: [0, 255], reason: "odd", receivedAt: id.receivedAt), id: id, shard: 3)
      let batch = rows
      try await persister.run { session in
        try PartitionDay.make(PartitionDay(of: id.receivedAt)...PartitionDay(of: id.receivedAt), in: session)
        try session.transaction { try batch.write(in: session) }
      }
      let events = try await persister.query("SELECT received_at, log_seq, shard::int8, timestamp, late, data, extras FROM events")
      let row = try #require(
        try events.decode(PostgresTimestamp.self, Int.self, Int.self, PostgresTimestamp.self, Bool.self, String.self, String?.self).first)
      #expect(row.0 == PostgresTimestamp(id.receivedAt) && row.1 == 7 && row.2 == 3 && row.3.microseconds == 1_771_070_400_123_456 && row.4)
      #expect(row.5 == #"{"t": 1.50, "n": 123456789012345678901234567890, "z": "\u0000", "in": {"x": [2]}}"#)
      #expect(row.6 == #"{"v":1,"w":"ü"}"#)
      let readings = try await persister.query("SELECT metric, value FROM readings ORDER BY metric").decode(String.self, Double.self)
      #expect(readings.map(\.0) == ["in.x.0", "n", "t"] && readings.map(\.1) == [2, Double("123456789012345678901234567890"), 1.5])
      let letters = try await persister.query("SELECT topic, payload, reason FROM dead_letters").decode(
        String.self, [UInt8].self, String.self)
      #expect(letters.first.map { $0 == ("a\u{FFFD}b", [0, 255], "odd") } == true)
    }
  }

  @Test func `Days are made once, by anybody who may, and rows find theirs by UTC`() async throws {
    try await withMigratedDatabase { postgres, owner in
      let first = PartitionDay(of: EventID(milliseconds: noon, sequence: 0).receivedAt)
      let days = first...PartitionDay(number: first.number + 2)
      let made = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<6 {
          group.addTask { try await postgres.connect(.persister).run { try PartitionDay.make(days, in: $0) } }
        }
        return try await group.reduce(0, +)
      }
      #expect(made == 6)
      let persister = try await postgres.connect(.persister)
      for (offset, partition) in [(-43_200_000, "20260214"), (43_199_999, "20260214"), (43_200_000, "20260215")] {
        var rows = EventRows()
        let milliseconds = UInt64(Int(noon) + offset)
        rows.append(try event("{}"), id: EventID(milliseconds: milliseconds, sequence: 0), shard: 0, late: false)
        let batch = rows
        try await persister.run { try batch.write(in: $0) }
        let found = try await owner.query(
          "SELECT tableoid::regclass::text FROM events WHERE received_at = timestamptz 'epoch' + $1 * interval '1 millisecond'",
          [.int8(Int64(milliseconds))])
        #expect(try found.decode(String.self) == ["events_\(partition)"])
      }
      let impossible = await #expect(throws: PostgresError.self) {
        try await persister.run { try PartitionDay.make(PartitionDay(number: -1)...PartitionDay(number: 0), in: $0) }
      }
      #expect(impossible?.isRefusalOfData == true)
      #expect(
        PartitionDay(of: Timestamp(microseconds: -1)).number == -1 && PartitionDay(of: Timestamp(microseconds: .max)).isPossible == false)
    }
  }

  @Test func `A cursor moves only from where it is`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let persister = try await postgres.connect(.persister)
      try await persister.run { session in
        let start = try LogCursor.load(consumer: "persister", shard: 5, in: session)
        #expect(start == LogCursor(consumer: "persister", shard: 5))
        var next = start
        next.epoch = "e1"
        next.position = EventID(milliseconds: 10, sequence: 2)
        next.knownUntil = EventID(milliseconds: 4, sequence: 1)
        #expect(try start.advance(to: next, in: session))
        #expect(try !start.advance(to: next, in: session))
        #expect(try LogCursor.load(consumer: "persister", shard: 5, in: session) == next)
        #expect(try LogCursor.slowest(shard: 5, epoch: "e1", in: session) == next.position)
        #expect(try LogCursor.slowest(shard: 5, epoch: "e2", in: session) == .zero)
        _ = try LogCursor.load(consumer: "rules", shard: 5, in: session)
        #expect(try LogCursor.slowest(shard: 5, epoch: "e1", in: session) == .zero)
      }
    }
  }

  @Test func `What is stored is known again, and another event in its place is not taken for it`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let persister = try await postgres.connect(.persister)
      let ids = (0..<3).map { EventID(milliseconds: noon + UInt64($0) * day, sequence: UInt64($0)) }
      let events = try (0..<3).map { try event(#"{"n":\#($0)}"#) }
      var rows = EventRows()
      for (id, event) in zip(ids, events) { rows.append(event, id: id, shard: 1, late: false) }
      rows.append(DeadLetter(topic: "t", payload: [], reason: "r", receivedAt: ids[0].receivedAt), id: ids[0], shard: 1)
      let batch = rows
      let stranger = try event(#"{"n":9}"#)
      try await persister.run { session in
        try PartitionDay.make(PartitionDay(of: ids[0].receivedAt)...PartitionDay(of: ids[2].receivedAt), in: session)
        try session.transaction { try batch.write(in: session) }
        let candidates = [(ids[0], events[0]), (ids[1], stranger), (ids[2], events[2])].map { (id: $0.0, event: $0.1) }
        #expect(try StoredEvents.among(candidates, shard: 1, in: session) == [ids[0], ids[2]])
        #expect(try StoredEvents.among(candidates, shard: 2, in: session).isEmpty)
        let letters = ids.map { (id: $0, payload: [UInt8]()) }
        #expect(try StoredEvents.deadLetters(among: letters, shard: 1, in: session) == [ids[0]])
        #expect(try StoredEvents.deadLetters(among: [(ids[0], [1])], shard: 1, in: session).isEmpty)
      }
    }
  }
}
