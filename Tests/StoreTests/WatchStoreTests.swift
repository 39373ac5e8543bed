import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

@Suite struct WatchStoreTests {
  private let camera: ApplianceID
  private let noon = Timestamp(microseconds: 1_771_070_400_000_000)

  init() throws { camera = try ApplianceID("cam-1") }

  private func record(_ number: Int, end: WatchRecord.End? = nil) -> WatchRecord {
    WatchRecord(
      id: WatchID(device: camera, random: (UInt64(number), 0)), device: camera, userID: "alice", startedAt: noon + .seconds(number),
      answeredAt: end.map { _ in noon + .seconds(number + 1) }, end: end)
  }

  /// The broker's store and the API's, each with its own role.
  private func withStores(_ body: (_ broker: WatchStore, _ api: WatchStore) async throws -> Void) async throws {
    try await withMigratedDatabase { postgres, _ in
      try await body(
        WatchStore(PostgresPool(try postgres.configuration(.signaling), logger: quiet)),
        WatchStore(PostgresPool(try postgres.configuration(.api), logger: quiet)))
    }
  }

  @Test func `A session is written as it begins and as it ends, however often, and stays as it ended`() async throws {
    try await withStores { broker, api in
      let end = WatchRecord.End(at: noon + .seconds(60), reason: .userEnded)
      try await broker.write([record(1), record(1, end: end), record(2)])
      try await broker.write([record(2), record(1)])
      try await broker.write([record(1, end: .init(at: noon + .seconds(90), reason: .timeout))])
      #expect(try await api.watch(record(1).id) == record(1, end: end))
      #expect(try await api.watch(record(2).id) == record(2))
      #expect(try await api.watch(record(3).id) == nil)
    }
  }

  @Test func `Sessions are listed newest first, page by page`() async throws {
    try await withStores { broker, api in
      let end = WatchRecord.End(at: noon + .seconds(600), reason: .deviceDisconnected)
      try await broker.write((0..<5).map { record($0, end: $0 % 2 == 0 ? end : nil) })
      let first = try await api.watches(.init(device: camera), limit: 3)
      let second = try await api.watches(.init(device: camera), after: first.next, limit: 3)
      #expect((first.items + second.items).map(\.id) == (0..<5).reversed().map { record($0).id })
      #expect(second.next == nil)
      #expect(try await api.watches(.init(isOpen: true)).items.map(\.id) == [3, 1].map { record($0).id })
      #expect(try await api.watches(.init(userID: "alice", isOpen: false)).items.count == 3)
      #expect(try await api.watches(.init(userID: "bob")).items.isEmpty)
      #expect(try await api.watches(.init(device: ApplianceID("cam-2"))).items.isEmpty)
    }
  }

  @Test func `Who asks for an end is written once, and only of a session that goes on`() async throws {
    try await withStores { broker, api in
      try await broker.write([record(1), record(2, end: .init(at: noon, reason: .error))])
      #expect(try await api.requestEnd(record(1).id, by: "root", now: noon))
      #expect(try await api.requestEnd(record(1).id, by: "other", now: noon + .seconds(1)))
      #expect(try await !api.requestEnd(record(2).id, by: "root", now: noon))
      #expect(try await !api.requestEnd(record(3).id, by: "root", now: noon))
      #expect(try await broker.endRequests(limit: 10) == [record(1).id])
      #expect(try await api.watch(record(1).id)?.endRequest == WatchRecord.EndRequest(at: noon, userID: "root"))
    }
  }

  @Test func `Sessions that nobody knows of any more are closed`() async throws {
    try await withStores { broker, api in
      try await broker.write([record(1), record(100)])
      #expect(try await broker.closeAbandoned(startedBefore: noon + .seconds(50), now: noon + .seconds(200)) == 1)
      #expect(try await api.watch(record(1).id)?.end == WatchRecord.End(at: noon + .seconds(200), reason: .error))
      #expect(try await api.watch(record(100).id)?.end == nil)
    }
  }
}
