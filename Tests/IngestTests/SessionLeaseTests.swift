import LocalStack
import Logging
import NIOPosix
import RedisClient
import Testing

@testable import Ingest

@Suite("Lease of the session, against Redis", .timeLimit(.minutes(1)))
struct SessionLeaseTests {
  private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func lease(_ replica: String, _ redis: RedisClient) -> SessionLease {
    SessionLease(session: "devices", replica: replica, redis: redis, logger: logger) {}
  }

  @Test func `a holder that gets no use of it lets another try`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let server = try stack.redis
      let redis = RedisClient(
        configuration: try RedisConfiguration(url: server.url(.ingest), password: server.password(.ingest)),
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
      let (cutOff, other) = (lease("ingest-1", redis), lease("ingest-2", redis))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await redis.run() }
        try await cutOff.take()
        // As it does before each attempt to connect.
        group.addTask { while true { try await cutOff.take() } }
        try await other.take()
        #expect(try await server.cli("GET", "lease:devices").hasPrefix("ingest-2 "))
        group.cancelAll()
      }
    }
  }
}
