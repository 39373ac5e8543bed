import EventLog
import LocalStack
import LogConsumer
import Models
import PostgresClient
import ServiceRuntime
import Store
import Testing

@testable import Persister

@Suite struct StoringTests {
  @Test func `Events, readings and dead letters get into PostgreSQL and out of the log`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      _ = try await log.append(entries(0..<3000))
      let letter = DeadLetter(topic: "epicura/x/nonsense", payload: [1, 2, 3], reason: "unknown topic", receivedAt: .now())
      _ = try await log.append([LogEntry(.deadLetter(letter), order: .now())])
      let replica = try Replica(postgres, log)
      try await replica.running {
        try await postgres.eventually(eventCount, is: 3000)
        _ = try await log.append(entries(3000..<3100))
        try await postgres.eventually(eventCount, is: 3100)
        try await postgres.eventually("SELECT count(*) FROM dead_letters WHERE payload = '\\x010203'", is: 1)
        #expect(try await postgres.number(distinctNumbers) == 3100)
        #expect(try await postgres.number("SELECT count(*) FROM readings WHERE metric = 'n' AND value BETWEEN 0 AND 3099") == 3100)
        #expect(try await postgres.query("SELECT data FROM events WHERE (data->>'n')::int = 7").hasPrefix(#"{"n":7,"half":7.50}"#))
        try await eventually("the log is trimmed") {
          for shard in 0..<Bus.shardCount {
            if try await !log.read(shard: shard, after: .zero, limit: 1, wait: .zero).records.isEmpty { return false }
          }
          return true
        }
        try replica.progress.check()
        let lag = replica.progress.samples(now: .now()).filter { $0.name == "martlet_persister_lag_seconds" }
        #expect(lag.count == Bus.shardCount && lag.allSatisfy { $0.value == 0 })
      }
    }
  }

  @Test func `The log is not trimmed past a slower consumer`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      _ = try await log.append(entries(0..<100, appliances: 1))
      let shard = Bus.shard(of: try ApplianceID("A-0"))
      _ = try await postgres.query("INSERT INTO log_cursors (consumer, shard) VALUES ('rules', \(shard))")
      let first = try await log.read(shard: shard, after: .zero, limit: 50, wait: .zero)
      try await Replica(postgres, log).running {
        try await postgres.eventually(eventCount, is: 100)
        #expect(try await log.read(shard: shard, after: .zero, limit: 1000, wait: .zero).records.count == 100)
        _ = try await postgres.query(
          """
          UPDATE log_cursors SET epoch = '\(first.epoch)', log_ms = \(first.records[49].id.milliseconds), log_seq = \(first.records[49].id.sequence)
          WHERE consumer = 'rules'
          """)
        _ = try await log.append(entries(100..<101, appliances: 1))
        try await eventually("trimmed as far as the slower one is") {
          try await log.read(shard: shard, after: .zero, limit: 1000, wait: .zero).records.count == 51
        }
      }
    }
  }

  @Test func `A record that PostgreSQL refuses becomes a dead letter, and the shard goes on`() async throws {
    try await withDatabase { _, postgres in
      _ = try await postgres.query("ALTER TABLE events ADD CONSTRAINT no_poison CHECK (type <> 'poison')")
      let log = MemoryEventLog()
      let batch = try entries(0..<50, appliances: 1) + entries(50..<52, type: "poison", appliances: 1) + entries(52..<100, appliances: 1)
      _ = try await log.append(batch)
      try await Replica(postgres, log).running {
        try await postgres.eventually(eventCount, is: 98)
        #expect(try await postgres.number("SELECT count(*) FROM dead_letters WHERE reason LIKE '%no_poison%'") == 2)
        let kept = "SELECT count(*) FROM dead_letters WHERE (convert_from(payload, 'UTF8')::json->'data'->>'n')::int IN (50, 51)"
        #expect(try await postgres.number(kept) == 2)
        _ = try await log.append(entries(100..<110, appliances: 1))
        try await postgres.eventually(eventCount, is: 108)
      }
    }
  }

  @Test func `Odd days get their partitions on demand, also ones that were removed`() async throws {
    try await withDatabase { _, postgres in
      let connection = try await PostgresConnection.connect(postgres.configuration(.persister), logger: quiet)
      let calendar = PartitionCalendar(daysAhead: 7)
      try await calendar.keepAhead(of: .now(), on: connection)
      let ahead = """
        SELECT count(*) FROM generate_series(0, 7) AS day
        WHERE to_regclass('events_' || to_char(now() AT TIME ZONE 'UTC' + day * interval '1 day', 'YYYYMMDD')) IS NOT NULL
        """
      #expect(try await postgres.number(ahead) == 8)

      let writer = BatchWriter(shard: 0, connection: connection, calendar: calendar, metrics: PersisterMetrics(), logger: quiet)
      let records = try ["1970-01-01T00:00:01Z", "2031-12-31T23:59:59.998Z", "2031-12-31T23:59:59.999Z"].enumerated().map { number, text in
        let time = try #require(Timestamp(iso8601: text))
        let id = EventID(milliseconds: UInt64(time.microseconds / 1000), sequence: 0)
        return LogRecord(id: id, content: try entries(number..<number + 1)[0].content, isLate: false)
      }
      let start = try await connection.run { try LogCursor.load(consumer: "persister", shard: 0, in: $0) }
      let middle = try await writer.store(Array(records[0..<2]), epoch: "e1", from: start)
      #expect(try await postgres.number("SELECT count(*) FROM events_19700101") == 1)
      #expect(try await postgres.number("SELECT count(*) FROM events_20311231") == 1)
      _ = try await postgres.query("DROP TABLE events_20311231; DROP TABLE readings_20311231")
      _ = try await writer.store([records[2]], epoch: "e1", from: middle)
      #expect(try await postgres.number("SELECT count(*) FROM events_20311231") == 1)
      #expect(try await postgres.number("SELECT count(*) FROM dead_letters") == 0)
    }
  }

  @Test func `A log that was lost is noticed and read anew`() async throws {
    try await withDatabase { _, postgres in
      let log = MemoryEventLog()
      _ = try await log.append(entries(0..<200))
      try await Replica(postgres, log).running {
        try await postgres.eventually(eventCount, is: 200)
        log.flush()
        _ = try await log.append(entries(200..<300))
        try await postgres.eventually(distinctNumbers, is: 300)
        #expect(try await postgres.number(eventCount) == 300)
      }
    }
  }
}
