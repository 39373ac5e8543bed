import Foundation
import LocalStack
import Testing

/// Nothing that was acknowledged is lost, and nothing is there twice, whatever is killed when.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ChaosTests {
  @Test func `Fifty thousand messages survive kills and restarts, each exactly once`() async throws {
    let (generator, seed) = SeededGenerator.announced()
    let load = NumberedLoad(appliances: (1...4).map { "CHAOS-\($0)" }, telemetryCount: 11_250, discreteCount: 1_250)
    #expect(load.total == 50_000)
    try await Backbone.run(appliances: load.appliances, ingest: 2) { backbone in
      try await Subscriber.run(
        backbone.gateway(1), token: backbone.token, appliances: load.appliances, types: ["cooking:stage_change", "cooking:complete"]
      ) { app in
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await publish(load, through: backbone) }
          group.addTask { try await Chaos(backbone: backbone, total: load.total, generator: generator).run() }
          try await group.waitForAll()
        }
        try await load.publishEnd(to: backbone.stack.mosquitto)
        try await load.waitUntilStored(in: backbone, limit: .seconds(180))

        let received = try await app.mailbox.wait(for: "end of every appliance", limit: .seconds(60)) { messages in
          messages.count { $0["type"]?.string == "cooking:complete" } >= load.appliances.count ? messages : nil
        }
        for appliance in load.appliances {
          let numbers = received.filter { $0["appliance_id"]?.string == appliance }.compactMap { $0["data"]?["n"]?.int }
          #expect(numbers == Array(0..<load.discreteCount), "\(appliance), MARTLET_CHAOS_SEED=\(seed)")
        }
        #expect(await app.mailbox.count(ofType: "test:closed") == 0)
      }
    }
  }

  /// In parts, so that the kills fall before, during and after publishing.
  private func publish(_ load: NumberedLoad, through backbone: Backbone) async throws {
    let parts = 10
    for part in 0..<parts { try await load.publish(part: part, of: parts, to: backbone.stack.mosquitto) }
  }

  @Test func `A PostgreSQL that is paused for twenty seconds loses nothing and live events go on`() async throws {
    let appliance = "EPIC-001"
    try await Backbone.run(appliances: [appliance], gateways: 1) { backbone in
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: [appliance]) { app in
        let mosquitto = try backbone.stack.mosquitto
        try await backbone.stack.pause("postgres")
        let resumption = ContinuousClock.now + .seconds(20)
        var published = 0
        while ContinuousClock.now < resumption {
          let number = published
          try await mosquitto.publish("-q", "1", "-t", "epicura/\(appliance)/session/stage_change", "-m", #"{"n":\#(number)}"#)
          _ = try await app.event("cooking:stage_change") { $0["data"]?["n"]?.int == number }
          published += 1
        }
        try await backbone.stack.resume("postgres")
        try await backbone.waitForRow(
          "\(published)|\(published)", "SELECT count(*), count(DISTINCT data->>'n') FROM events WHERE type = 'cooking:stage_change'")
      }
    }
  }
}

/// Kills and restarts at random moments: each falls when a random number of messages has been stored.
private struct Chaos {
  private enum Blow: CaseIterable {
    case killIngest, stallIngest, killPersister, restartRedis, killRedis, stallRedis, restartPostgres, killPostgres
  }

  let backbone: Backbone
  let total: Int
  var generator: SeededGenerator

  func run() async throws {
    var generator = generator
    // Each kind at least twice, in random order, spread over the first nine tenths of the messages.
    let blows = (Blow.allCases + Blow.allCases + [.killIngest, .killPersister]).shuffled(using: &generator)
    let moments = blows.map { _ in Int.random(in: 0..<(total * 9 / 10), using: &generator) }.sorted()
    for (blow, moment) in zip(blows, moments) {
      try await waitUntilStored(moment)
      try await strike(blow)
    }
  }

  private func strike(_ blow: Blow) async throws {
    let stack = backbone.stack
    switch blow {
    case .killIngest: try await replace(backbone.listener())
    case .stallIngest:
      let stalled = try await backbone.listener()
      try await stack.pause(stalled)
      try await backbone.waitForListener { $0 != stalled }
      try await stack.resume(stalled)
    case .killPersister: try await replace("persister-1")
    case .killRedis: try await replace("redis")
    case .killPostgres: try await replace("postgres")
    case .restartRedis: try await stack.restart("redis")
    case .stallRedis:
      // Longer than a call to it may take, so that calls are given up which it then finds in its sockets.
      try await stack.pause("redis")
      try await Task.sleep(for: .seconds(3))
      try await stack.resume("redis")
    case .restartPostgres: try await stack.restart("postgres")
    }
  }

  private func replace(_ name: String) async throws {
    try await backbone.stack.kill(name)
    try await backbone.stack.start(name)
  }

  private func waitUntilStored(_ count: Int) async throws {
    try await backbone.waitForRow("t", limit: .seconds(120), "SELECT count(*) >= \(count) FROM events")
  }
}
