import EventLog
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
import Testing

@Suite struct PresenceBoardTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  @Test(arguments: RedisKind.allCases)
  func `An appliance is overdue after its latest deadline, told with its last status, until it is forgotten`(_ kind: RedisKind) async throws
  {
    try await LocalStack.run(kind.stack) { stack in
      let configuration = try stack.redisConfiguration(.ingest)
      let log = RedisEventLog(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet, writer: "test")
      let board = PresenceBoard(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Self.quiet)
      try await withThrowingTaskGroup { group in
        group.addTask { try await log.run() }
        group.addTask { try await board.run() }
        let now = Timestamp.now()
        let all = try (0..<1000).map { try ApplianceID("M-\($0)") }
        #expect(try await board.postpone(Dictionary(uniqueKeysWithValues: all.map { ($0, now + .seconds(10)) })).isEmpty)
        let status = Event(type: .applianceStatus, applianceID: all[0], timestamp: now, data: Array(#"{"status":"online"}"#.utf8))
        _ = try await log.append([LogEntry(.event(status), order: now)])
        // An older word does not bring the deadline forward.
        let told = try await board.postpone([all[0]: now + .seconds(5), all[1]: now + .seconds(20)])
        #expect(told.keys.map(\.rawValue) == ["M-0"] && told[all[0]]?.id != nil)

        #expect(try await board.overdue(now: now + .seconds(9), limit: 1000).isEmpty)
        let overdue = try await board.overdue(now: now + .seconds(11), limit: 1000)
        #expect(Set(overdue.map(\.appliance)) == Set(all).subtracting([all[1]]))
        #expect(overdue.first { $0.appliance == all[0] }?.told?.data == status.data)
        try await board.forget(overdue.map(\.appliance))
        #expect(try await board.overdue(now: now + .seconds(30), limit: 1000).map(\.appliance) == [all[1]])
        group.cancelAll()
      }
    }
  }
}
