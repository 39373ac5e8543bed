import LocalStack
import PostgresClient
import ServiceLifecycle
import Testing

@Suite struct InterruptionTests {
  private static let sleepRuns =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND usename = 'martlet'"

  @Test func `Cancelling the task cancels the statement and keeps the connection`() async throws {
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

  @Test func `A statement ends at its deadline and the server stops working on it`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let connection = try await postgres.connect()
      let error = await failure { try await connection.execute("SELECT pg_sleep(600)", timeout: .milliseconds(300)) }
      #expect(error?.code == .timeout && error?.isTransient == true)
      #expect(error?.description.contains("as martlet") == true)
      #expect(await connection.isUsable())
      #expect(try await connection.query("SELECT 1").decode(Int.self) == [1])
      try await postgres.wait(until: "SELECT NOT (\(Self.sleepRuns))")
    }
  }

  @Test func `A paused server costs the deadline, and no thread of the rest of the program`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      var connections: [PostgresConnection] = []
      for _ in 0..<8 { connections.append(try await postgres.connect(cancelGrace: .milliseconds(100))) }
      let slow = try await postgres.connect()
      try await stack.pause("postgres")
      // More blocked calls than the machine has cores: the rest of the program must go on meanwhile.
      let errors = await withTaskGroup(of: PostgresError?.self) { group in
        for connection in connections {
          group.addTask { await failure { try await connection.query("SELECT 1", timeout: .milliseconds(300)) } }
        }
        group.addTask {
          await failure {
            var configuration = try postgres.configuration()
            configuration.connectTimeout = .milliseconds(300)
            return try await PostgresConnection.connect(configuration, logger: quiet)
          }
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

  @Test func `A killed server breaks the call, and the pool recovers when it is back`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let limits = PostgresPool.Limits(connectionsMax: 2, leaseTimeout: .seconds(1))
      let pool = PostgresPool(try postgres.configuration(), limits: limits, logger: quiet)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await pool.run() }
        async let broken = Self.patiently { try await pool.query("SELECT pg_sleep(600)") }
        try await postgres.wait(until: Self.sleepRuns)
        try await stack.kill("postgres")
        #expect(await broken?.code == .connectionLost)
        let away = await failure { try await pool.query("SELECT 1") }
        // A slow machine may reach the pool's limit before it is told that nobody listens.
        #expect([.unreachable, .timeout, .exhausted].contains(away?.code) && away?.isTransient == true)
        try await stack.start("postgres")
        #expect(await Self.patiently { try await pool.query("SELECT 2") } == nil)
        group.cancelAll()
      }
      #expect(await failure { try await pool.query("SELECT 3") }?.code == .closed)
    }
  }

  /// The error of a call, which is made again where a slow machine could not connect within the pool's limit.
  private static func patiently(_ call: @Sendable () async throws -> some Sendable) async -> PostgresError? {
    var error: PostgresError?
    repeat { error = await failure(call) } while error?.code == .timeout
    return error
  }

  @Test func `Callers wait for a free connection only so long, and only so many`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let limits = PostgresPool.Limits(connectionsMax: 1, waitersMax: 1, leaseTimeout: .seconds(1))
      let pool = PostgresPool(try postgres.configuration(), limits: limits, logger: quiet)
      try await withThrowingTaskGroup(of: PostgresError?.self) { group in
        group.addTask { await Self.patiently { try await pool.query("SELECT pg_sleep(600)") } }
        try await postgres.wait(until: Self.sleepRuns)
        async let first = failure { try await pool.query("SELECT 1") }
        async let second = failure { try await pool.query("SELECT 1") }
        let codes = await [first?.code, second?.code]
        #expect(codes == [.exhausted, .exhausted])
        group.cancelAll()
        #expect(try await group.next()??.code == .cancelled)
      }
      #expect(await Self.patiently { try await pool.query("SELECT 1") } == nil)
    }
  }

  @Test func `Many callers share few connections`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let pool = PostgresPool(
        try stack.postgres.configuration(), limits: .init(connectionsMax: 3, leaseTimeout: .seconds(60)), logger: quiet)
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
