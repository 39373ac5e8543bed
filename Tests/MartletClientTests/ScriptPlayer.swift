import Foundation
import MartletClient
import Synchronization

/// Plays one connection script with the Swift client, as `Tests/Connections/browser.js` does with the JavaScript one.
struct ScriptPlayer: Sendable {
  /// So much faster than the clock on the wall runs the client's.
  private static let speed = 10
  private static let limit = Duration.seconds(60)
  private static let interval = Duration.milliseconds(20)

  let server: ScriptServer
  let script: ConnectionScript

  /// What differed from the script.
  func play() async throws -> [String] {
    let (orders, order) = AsyncStream.makeStream(of: ConnectionScript.Reaction.Order.self)
    let record = Record(script, orders: order)
    let client = try MartletClient(
      url: server.url(of: script), api: script.api == false ? nil : server.api(of: script), authorities: server.certificate,
      token: script.tokens.map(Self.tokens), timing: timing(record), onProblem: { _ in record.ignored() })
    let states = await client.states.dropFirst()
    let events = await client.events(of: script.watch ?? [], since: script.since ?? [:])
    return try await withThrowingTaskGroup(of: [String]?.self) { group in
      group.addTask {
        for await state in states { record.took(state) }
        return nil
      }
      group.addTask {
        for try await event in events { record.took(event) }
        return nil
      }
      group.addTask {
        // Why it ended is in the states.
        try? await client.run()
        return nil
      }
      group.addTask {
        await withDiscardingTaskGroup { group in
          for await order in orders { group.addTask { await send(order, client, record) } }
        }
        return nil
      }
      group.addTask { try await differences(record) }
      defer { group.cancelAll() }
      while let result = try await group.next() {
        if let result { return result }
      }
      return []
    }
  }

  /// Gives one token after the other; past the last the login has ended.
  private static func tokens(_ list: [String]) -> MartletClient.TokenSource {
    let place = Place()
    return { renew in
      let current = place.move(by: renew ? 1 : 0)
      guard list.indices.contains(current) else { throw SignedOut() }
      return list[current]
    }
  }

  private final class Place: Sendable {
    private let value = Mutex(0)

    func move(by step: Int) -> Int {
      value.withLock { value in
        value += step
        return value
      }
    }
  }

  /// Time runs faster; what is waited for before an attempt, and for an answer to a ping, is written down as the client asked for it.
  private func timing(_ record: Record) -> Timing {
    let start = ContinuousClock.now
    let random = script.random ?? 1
    return Timing(
      sleep: { duration, timer in
        if timer == .retry { record.waited(duration) }
        if timer == .pong { record.waitedForAnswer(duration) }
        try await Task.sleep(for: duration / Self.speed)
      }, now: { (ContinuousClock.now - start) * Self.speed }, random: { random })
  }

  private func send(_ order: ConnectionScript.Reaction.Order, _ client: MartletClient, _ record: Record) async {
    do {
      let command = MartletCommand(type: order.type, data: try order.data.map { try JSONEncoder().encode($0) })
      try await client.send(command, to: order.appliance_id) { record.told(order.type, $0.rawValue) }
      record.told(order.type, "done")
    } catch let error as CommandError {
      record.told(order.type, error.code.rawValue)
    } catch {
      record.told(order.type, "\(error)")
    }
  }

  /// Waits until the server has played its part and as much has been seen as the script says, and compares.
  private func differences(_ record: Record) async throws -> [String] {
    let deadline = ContinuousClock.now + Self.limit
    let sees = script.sees ?? [:]
    while true {
      let status = try await server.status(of: script)
      let isComplete = sees.allSatisfy { name, wanted in (record[name]?.size ?? 0) >= wanted.size }
      if !status.failures.isEmpty || (status.done && isComplete) || ContinuousClock.now > deadline {
        let differences = sees.filter { name, wanted in record[name] != wanted }
          .map { name, wanted in "\(name): \(record[name]?.description ?? "not recorded"), not \(wanted)" }
        return status.failures + (status.done ? [] : ["the script was not played to its end"]) + differences.sorted()
      }
      try await Task.sleep(for: Self.interval)
    }
  }
}
