import LocalStack
import PostgresClient
import ServiceLifecycle
import Testing

@Suite struct InterruptionTests {
  private static let sleepRuns =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND usename = 'martlet'"

  @Test func cancellingTheTaskCancelsTheStatementAndKeepsTheConnection() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let connection = try await postgres.connect()
      try await connection.execute("CREATE TABLE t (a int8)")
      let error = try await withThrowingTaskGroup(of: PostgresError?.self) { group in
        group.addTask {
          await failure {
            try await connection.transaction { session in
              try session.execute("INSERT INTO t VALUES (1)")
              try session.execute("SELECT pg_sleep(600)")
            }
          }
        }
        try await postgres.wait(until: Self.sleepRuns)
        group.cancelAll()
        return try await group.next() ?? nil
      }
      #expect(error?.code == .cancelled)
      #expect(await connection.isUsable())
      #expect(try await connection.query("SELECT count(*) FROM t").decode(Int.self) == [0])
    }
  }

  @Test func aStatementEndsAtItsDeadlineAndTheServerStopsWorkingOnIt() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let connection = try await postgres.connect(callTimeout: .milliseconds(300))
      let error = await failure { try await connection.execute("SELECT pg_sleep(600)") }
      #expect(error?.code == .timeout && error?.isTransient == true)
      #expect(error?.description.contains("as martlet") == true)
      #expect(await connection.isUsable())
      #expect(try await connection.query("SELECT 1").decode(Int.self) == [1])
      try await postgres.wait(until: "SELECT NOT (\(Self.sleepRuns))")
    }
  }

  @Test func aPausedServerCostsTheDeadlineAndNotAThread() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      var connections: [PostgresConnection] = []
      for _ in 0..<8 { connections.append(try await postgres.connect(callTimeout: .milliseconds(300))) }
      let slow = try await postgres.connect(callTimeout: .seconds(60))
      try await stack.pause("postgres")
      // More blocked calls than the machine has cores: the rest of the program must go on meanwhile.
      let errors = await withTaskGroup(of: PostgresError?.self) { group in
        for connection in connections { group.addTask { await failure { try await connection.query("SELECT 1") } } }
        group.addTask {
          await failure { try await PostgresConnection.connect(postgres.configuration(connectTimeout: .milliseconds(300)), logger: quiet) }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(errors.count == 9 && errors.allSatisfy { $0?.code == .timeout })
      for connection in connections { #expect(await !connection.isUsable()) }
      // A call that began before goes on where it was once the server does.
      async let answer = slow.query("SELECT 42").decode(Int.self)
      try await stack.resume("postgres")
      #expect(try await answer == [42])
    }
  }

  @Test func aKilledServerBreaksTheCallAndThePoolRecoversWhenItIsBack() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let pool = PostgresPool(
        try postgres.configuration(), limits: .init(connectionsMax: 2, leaseTimeout: .milliseconds(400)), logger: quiet)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await pool.run() }
        #expect(try await pool.query("SELECT 1").decode(Int.self) == [1])
        async let broken = failure { try await pool.query("SELECT pg_sleep(600)") }
        try await postgres.wait(until: Self.sleepRuns)
        try await stack.kill("postgres")
        #expect(await broken?.code == .connectionLost)
        let away = await failure { try await pool.query("SELECT 1") }
        #expect(away?.code == .unreachable && away?.isTransient == true)
        try await stack.start("postgres")
        #expect(try await pool.query("SELECT 2").decode(Int.self) == [2])
        group.cancelAll()
      }
      #expect(await failure { try await pool.query("SELECT 3") }?.code == .closed)
    }
  }

  @Test func callersWaitForAFreeConnectionInOrderOnlySoLongAndOnlySoMany() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let limits = PostgresPool.Limits(connectionsMax: 1, waitersMax: 1, leaseTimeout: .milliseconds(300))
      let pool = PostgresPool(try postgres.configuration(), limits: limits, logger: quiet)
      try await withThrowingTaskGroup(of: PostgresError?.self) { group in
        group.addTask { await failure { try await pool.query("SELECT pg_sleep(600)") } }
        try await postgres.wait(until: Self.sleepRuns)
        async let first = failure { try await pool.query("SELECT 1") }
        async let second = failure { try await pool.query("SELECT 1") }
        let codes = await [first?.code, second?.code]
        #expect(codes == [.exhausted, .exhausted])
        group.cancelAll()
        #expect(try await group.next()??.code == .cancelled)
      }
      #expect(try await pool.query("SELECT 1").decode(Int.self) == [1])
    }
  }

  @Test func manyCallersShareFewConnections() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let pool = PostgresPool(try stack.postgres.configuration(), limits: .init(connectionsMax: 3), logger: quiet)
      let pids = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<200 {
          group.addTask { try await pool.withTransaction { try $0.query("SELECT pg_backend_pid()").decode(Int.self)[0] } }
        }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect((1...3).contains(pids.count))
    }
  }
}
