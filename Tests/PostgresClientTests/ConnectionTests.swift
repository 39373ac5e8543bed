import LocalStack
import PostgresClient
import Testing

@Suite struct ConnectionTests {
  @Test func `Values of every type come back as they went`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      let moment = PostgresTimestamp(microseconds: 1_771_072_500_123_456)
      let rows = try await connection.query(
        """
        SELECT $1::bool, $2::int2, $3::int4, $4::int8, $5::float8, $6::text, $7::bytea, $8::json, $9::jsonb, $10::timestamptz,
          $11::uuid, $12::text[], $13::int8[], $14::text, $15::text
        """,
        [
          .bool(true), .int2(-2), .int4(.min), .int8(.max), .float8(-0.1), .text("grün 🐦"), .bytea([0, 255, 0]),
          .json(Array(#"{"a": 1.10}"#.utf8)), .jsonb(Array("[1]".utf8)), .timestamptz(moment), .uuid(Array(0..<16)),
          .textArray(["a", "", "{\"b\"}"]), .int8Array([1, .min]), .null, .text(""),
        ])
      let row = try #require(
        try rows.decode(
          Bool.self, Int.self, Int64.self, Int64.self, Double.self, String.self, [UInt8].self, String.self, String.self,
          PostgresTimestamp.self, [UInt8].self, [String].self, [Int64].self, String?.self, String?.self
        ).first)
      #expect(row.0 && row.1 == -2 && row.2 == Int64(Int32.min) && row.3 == .max && row.4 == -0.1)
      #expect(row.5 == "grün 🐦" && row.6 == [0, 255, 0] && row.7 == #"{"a": 1.10}"# && row.8 == "[1]")
      #expect(row.9 == moment && row.10 == Array(0..<16) && row.11 == ["a", "", "{\"b\"}"] && row.12 == [1, .min])
      #expect(row.13 == nil && row.14 == "")
      let empty = try await connection.query("SELECT $1::text[], 1.5::float4", [.textArray([])]).decode([String].self, Double.self)
      #expect(empty.first?.0 == [] && empty.first?.1 == 1.5)
    }
  }

  @Test func `A result of another shape is an error that names the column`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      let rows = try await connection.query("SELECT NULL::text AS nickname")
      let error = await failure { try rows.decode(String.self) }
      #expect(error?.code == .unexpectedResult && error?.message.contains("nickname") == true)
      #expect(await failure { try rows.decode(String?.self, Int.self) }?.code == .unexpectedResult)
      let misuse = await failure { try await connection.run { session in try session.transaction { try session.transaction {} } } }
      #expect(misuse?.code == .unexpectedResult)
      #expect(await connection.isUsable())
      _ = await failure { try await connection.execute("COPY pg_class TO STDOUT") }
      #expect(await !connection.isUsable())
    }
  }

  @Test func `A hundred thousand rows are copied as they are`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      try await connection.execute(
        "CREATE TABLE copied (id bigint, name text, value float8, at timestamptz, ok bool, raw bytea, small smallint)")
      var writer = PostgresCopyWriter(columns: 7)
      for id in 0..<100_000 {
        writer.append(integer: Int64(id))
        if id % 10 == 0 { writer.appendNull() } else { writer.append(text: "name \(id)") }
        writer.append(double: Double(id) / 2)
        writer.append(timestamp: PostgresTimestamp(microseconds: Int64(id)))
        writer.append(bool: id % 2 == 0)
        writer.append(bytes: [UInt8(id % 256)])
        writer.append(integer: Int16(id % 100))
      }
      #expect(writer.rowCount == 100_000)
      let rows = writer
      let stored = try await connection.run { session in
        try session.copyIn("COPY copied FROM STDIN (FORMAT binary)", rows)
      }
      #expect(stored == 100_000)
      let sums = try await connection.query(
        """
        SELECT count(name), sum(id)::int8, sum(value), max(at), count(*) FILTER (WHERE ok),
          count(*) FILTER (WHERE raw = decode(lpad(to_hex(id % 256), 2, '0'), 'hex') AND small = id % 100) FROM copied
        """
      ).decode(Int.self, Int.self, Double.self, PostgresTimestamp.self, Int.self, Int.self)[0]
      #expect(sums == (90_000, 4_999_950_000, 2_499_975_000, PostgresTimestamp(microseconds: 99_999), 50_000, 100_000))
    }
  }

  @Test func `A copy that the server refuses stores nothing and the connection goes on`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      try await connection.execute("CREATE TABLE strict (id bigint PRIMARY KEY, doc json)")
      var writer = PostgresCopyWriter(columns: 2)
      for id in 0..<200_000 {
        writer.append(integer: Int64(id))
        writer.append(bytes: Array((id == 150 ? "{secret" : "{}").utf8))
      }
      let rows = writer
      let error = await failure {
        try await connection.run { try $0.copyIn("COPY strict FROM STDIN (FORMAT binary)", rows) }
      }
      #expect(error?.sqlState == "22P02" && error?.isRefusalOfData == true && error?.isTransient == false)
      #expect(error?.description.contains("secret") == false)
      #expect(try await connection.query("SELECT count(*) FROM strict").decode(Int.self) == [0])
    }
  }

  @Test func `A transaction is all or nothing`() async throws {
    struct Stop: Error {}
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      try await connection.execute("CREATE TABLE notes (id int8 PRIMARY KEY)")
      try await connection.transaction { session in
        try session.execute("INSERT INTO notes VALUES ($1)", [.int8(1)])
      }
      await #expect(throws: Stop.self) {
        try await connection.transaction { session in
          try session.execute("INSERT INTO notes VALUES ($1)", [.int8(2)])
          throw Stop()
        }
      }
      // An error that the body swallows must not let COMMIT pass for a success.
      let swallowed = await failure {
        try await connection.transaction { session in
          try session.execute("INSERT INTO notes VALUES ($1)", [.int8(3)])
          _ = try? session.execute("INSERT INTO notes VALUES ($1)", [.int8(1)])
        }
      }
      #expect(swallowed?.sqlState == "25P02")
      let duplicate = await failure { try await connection.execute("INSERT INTO notes VALUES ($1)", [.int8(1)]) }
      #expect(duplicate?.sqlState == "23505" && duplicate?.isRefusalOfData == true)
      #expect(try await connection.query("SELECT id FROM notes").decode(Int.self) == [1])
    }
  }

  @Test func `A connection that nobody holds any more is closed`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      for _ in 0..<20 { #expect(try await postgres.connect().query("SELECT 1").count == 1) }
      try await postgres.wait(until: "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'martlet'")
    }
  }

  @Test func `Prepared statements survive changed tables and are bounded`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let connection = try await stack.postgres.connect()
      try await connection.run { try $0.executeScript("CREATE TABLE t (a int8); INSERT INTO t VALUES (1)") }
      #expect(try await connection.query("SELECT * FROM t").decode(Int.self) == [1])
      try await connection.execute("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'")
      #expect(await failure { try await connection.query("SELECT * FROM t") }?.sqlState == "0A000")
      #expect(try await connection.query("SELECT * FROM t").decode(Int.self, String.self).count == 1)
      for number in 0..<200 { _ = try await connection.query("SELECT \(number)") }
      let held = try await connection.query("SELECT count(*) FROM pg_prepared_statements").decode(Int.self)
      #expect(held == [64])
    }
  }
}
