import LocalStack
import Models
import PostgresClient
import Store
import Testing

@testable import Signaling

@Suite(.timeLimit(.minutes(1))) struct CaretakerTests {
  @Test func `A replica that was taken for dead takes its places anew, though Redis fails when it says its new name`() async throws {
    try await BrokerScene.run { scene in
      let place = Place()
      let first = place.replica
      let (renames, told) = AsyncStream.makeStream(of: [String].self, bufferingPolicy: .bufferingOldest(8))
      // None is there.
      let postgres = try PostgresConfiguration(url: "postgres://127.0.0.1:1/none")
      let store = WatchStore(PostgresPool(postgres, limits: .init(leaseTimeout: .milliseconds(100)), logger: BrokerScene.logger))
      let timing = Caretaker.Timing(period: .milliseconds(20))
      let caretaker = Caretaker(watchroom: scene.watchroom, store: store, place: place, timing: timing) { told.yield([$0, $1]) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await caretaker.run() }
        try await waitUntilAlive(first, scene)
        // It is given up, and what is no lease makes each sign of life fail that is not answered by `lapsed`.
        let spoil = "redis.call('DEL', KEYS[2]) redis.call('RPUSH', KEYS[2], 'x') return redis.call('ZREM', KEYS[1], ARGV[1])"
        _ = try await scene.server.cli("EVAL", spoil, "2", Bus.signalReplicas, Bus.signalCaretaker, first)
        while place.replica == first { _ = try await scene.server.cli("PING") }
        try await waitUntilAlive(place.replica, scene)
        _ = try await scene.server.cli("DEL", Bus.signalCaretaker)
        #expect(await renames.first { _ in true } == [first, place.replica])
        group.cancelAll()
      }
    }
  }

  /// Until Redis has had a sign of life, even one that failed after it.
  private func waitUntilAlive(_ replica: String, _ scene: BrokerScene) async throws {
    while try await scene.server.cli("ZSCORE", Bus.signalReplicas, replica).isEmpty {}
  }
}
