import LocalStack
import PostgresClient
import Synchronization
import Testing

@Suite struct SecurityTests {
  @Test func `A wrong password is told without the password`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let error = await failure {
        try await PostgresConnection.connect(postgres.configuration(password: "hush-hush"), logger: quiet)
      }
      #expect(error?.code == .authentication && error?.sqlState == "28P01" && error?.isTransient == false)
      #expect(error?.message.contains("127.0.0.1:\(postgres.port)/martlet as martlet") == true)
      #expect(error?.description.contains("hush") == false)
      let missing = await failure {
        try await PostgresConnection.connect(PostgresConfiguration(url: postgres.url(.owner)), logger: quiet)
      }
      #expect(missing?.code == .authentication)
      let database = await failure {
        let url = postgres.url(.owner).replacing(/martlet$/, with: "nowhere")
        return try await PostgresConnection.connect(PostgresConfiguration(url: url, password: postgres.password(.owner)), logger: quiet)
      }
      #expect(database?.sqlState == "3D000")
    }
  }

  @Test func `A password that is read may change: open connections stay, and the next one waits until it fits`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let asked = Mutex(0)
      let configuration = try PostgresConfiguration(
        url: postgres.url(.owner),
        readPassword: {
          asked.withLock {
            $0 += 1; return $0 == 3 ? "second" : "wrong"
          }
        })
      _ = try await postgres.query("ALTER ROLE martlet PASSWORD 'wrong'")
      let pool = PostgresPool(configuration, limits: .init(connectionsMax: 1, leaseTimeout: .seconds(30)), logger: quiet)
      let first = try await pool.query("SELECT pg_backend_pid()").decode(Int.self)
      _ = try await postgres.query("ALTER ROLE martlet PASSWORD 'second'")
      #expect(try await pool.query("SELECT pg_backend_pid()").decode(Int.self) == first)
      #expect(asked.withLock(\.self) == 1)
      _ = try await postgres.query("SELECT pg_terminate_backend(\(try #require(first.first)))")
      try await postgres.wait(until: "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'martlet'")
      #expect(try await pool.query("SELECT pg_backend_pid()").decode(Int.self) != first)
      #expect(asked.withLock(\.self) == 3, "refused once, then another one was read")
    }
  }

  @Test func `Encryption is verified against the authority and the name`() async throws {
    var configuration = LocalStackConfiguration([.postgres])
    configuration.tls = true
    try await LocalStack.run(configuration) { stack in
      let postgres = try stack.postgres
      let authority = try #require(postgres.caFile)
      func connect(_ host: String, _ root: String) async throws -> PostgresConnection {
        let url =
          postgres.url(.owner).replacing("@127.0.0.1", with: "@\(host)") + "?sslmode=verify-full&sslrootcert=\(root)&hostaddr=127.0.0.1"
        return try await PostgresConnection.connect(PostgresConfiguration(url: url, password: postgres.password(.owner)), logger: quiet)
      }
      let rows = try await connect("localhost", authority).query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
      #expect(try rows.decode(Bool.self) == [true])
      #expect(await failure { try await connect("elsewhere.example", authority) }?.code == .tls)
      // The server's own certificate is no authority for itself: it is not the one that signed.
      let stranger = authority.replacing("ca.pem", with: "server.pem")
      #expect(await failure { try await connect("localhost", stranger) }?.code == .tls)
      #expect(await failure { try await connect("localhost", "/nowhere/ca.pem") }?.code == .tls)
    }
  }
}
