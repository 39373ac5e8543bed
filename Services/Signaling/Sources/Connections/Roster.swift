internal import Models
internal import NIOCore
internal import WebSocketTransport

/// The connections of one event loop by their numbers. Confined to that loop.
final class Roster {
  let eventLoop: any EventLoop
  let jobs: JobQueue
  let metrics: SignalingMetrics
  private let index: Int
  private let loopCount: Int
  private var connections: [UInt64: SignalingConnection] = [:]
  private var lastNumber: UInt64 = 0

  init(index: Int, of loopCount: Int, eventLoop: any EventLoop, jobs: JobQueue, metrics: SignalingMetrics) {
    (self.index, self.loopCount, self.eventLoop, self.jobs, self.metrics) = (index, loopCount, eventLoop, jobs, metrics)
    scheduleTick()
  }

  /// A number that no other connection of this process has; it tells the loop.
  func nextNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber * UInt64(loopCount) + UInt64(index)
  }

  func add(_ connection: SignalingConnection, _ number: UInt64) { connections[number] = connection }
  func remove(_ number: UInt64) { connections[number] = nil }

  func ring(_ number: UInt64) { connections[number]?.ring() }
  func ringAll() { for connection in connections.values { connection.ring() } }
  func takePlacesAnew() { for connection in connections.values { connection.takePlaceAnew() } }
  func accessChanged(_ change: AccessChange) { for connection in connections.values { connection.accessChanged(change) } }

  private func scheduleTick() {
    eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
      let now = Timestamp.now()
      for connection in self.connections.values { connection.tick(now) }
      self.scheduleTick()
    }
  }
}

/// The rosters of all loops, from any thread.
struct Rosters: Sendable {
  private let rosters: [NIOLoopBound<Roster>]

  init(_ loops: [any EventLoop], jobs: JobQueue, metrics: SignalingMetrics) async throws {
    var rosters: [NIOLoopBound<Roster>] = []
    for (index, loop) in loops.enumerated() {
      let roster = loop.submit {
        NIOLoopBound(Roster(index: index, of: loops.count, eventLoop: loop, jobs: jobs, metrics: metrics), eventLoop: loop)
      }
      rosters.append(try await roster.get())
    }
    self.rosters = rosters
  }

  /// On the loop with this index.
  subscript(_ loopIndex: Int) -> Roster { rosters[loopIndex].value }

  func ring(_ number: UInt64) {
    let roster = rosters[Int(number % UInt64(rosters.count))]
    roster.eventLoop.execute { roster.value.ring(number) }
  }

  func ringAll() { onEach { $0.ringAll() } }
  func takePlacesAnew() { onEach { $0.takePlacesAnew() } }
  func accessChanged(_ change: AccessChange) { onEach { $0.accessChanged(change) } }

  private func onEach(_ body: @escaping @Sendable (Roster) -> Void) {
    for roster in rosters { roster.eventLoop.execute { body(roster.value) } }
  }
}
