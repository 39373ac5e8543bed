import Logging
import NIOCore
import Synchronization

/// What this process knows of a cluster's nodes and slots. All clients of one configuration share it, so that one of them asks for all.
final class ClusterTopology: Sendable {
  /// What is known, and how old it is.
  struct View: Sendable {
    var map: SlotMap
    /// Grows with every answer.
    let version: Int
    let fetchedAt: ContinuousClock.Instant
  }

  private struct State {
    var view: View?
    var isFetching = false
    var lastFailure: RedisError?
  }

  /// How old a view may get, for what no error tells, and how old when a master has no replica: until one is known that has come back, nothing waits for it.
  static let ageMax = Duration.seconds(10)
  static let ageMaxWithoutReplica = Duration.seconds(2)
  /// Calls that fail may find a view out of date so often, and no more.
  private static let ageMin = Duration.milliseconds(100)
  private static let answerTimeout = Duration.seconds(1)
  /// Nodes that are asked in one go.
  private static let askedMax = 4

  let seeds: [RedisAddress]
  private let state = Mutex(State())

  init(seeds: [RedisAddress]) { self.seeds = seeds }

  var view: View? { state.withLock { $0.view } }

  /// Why there is no view.
  var failure: RedisError {
    state.withLock { $0.lastFailure } ?? RedisError(.unreachable, "no node of the Redis cluster at \(places) has answered yet")
  }

  private var places: String { seeds.map(\.description).joined(separator: ", ") }

  /// A node has told where a slot is now.
  func moved(_ slot: Int, to node: RedisAddress) { state.withLock { $0.view?.map.move(slot, to: node) } }

  /// Asks the nodes, unless somebody has since the caller looked, or is at it: then it returns at once.
  ///
  /// - Parameter seen: the version that the caller finds out of date.
  func refresh(_ seen: Int?, _ configuration: RedisConfiguration, eventLoop: any EventLoop) async {
    let isMine = state.withLock { state in
      guard !state.isFetching, state.view?.version == seen else { return false }
      if let view = state.view, view.fetchedAt.duration(to: .now) < Self.ageMin { return false }
      state.isFetching = true
      return true
    }
    guard isMine else { return }
    let answer = await fetch(configuration, eventLoop: eventLoop)
    state.withLock { state in
      state.isFetching = false
      switch answer {
      case .success(let map): state.view = View(map: map, version: (seen ?? 0) + 1, fetchedAt: .now)
      case .failure(let error): state.lastFailure = error
      }
    }
  }

  func refreshIfOld(_ configuration: RedisConfiguration, eventLoop: any EventLoop) async {
    if let view, view.fetchedAt.duration(to: .now) < (view.map.isReplicated ? Self.ageMax : Self.ageMaxWithoutReplica) { return }
    await refresh(view?.version, configuration, eventLoop: eventLoop)
  }

  /// The answer of the first node that gives one, else why the first of them did not.
  private func fetch(_ configuration: RedisConfiguration, eventLoop: any EventLoop) async -> Result<SlotMap, RedisError> {
    var candidates = (view?.map.nodes ?? []).shuffled().prefix(Self.askedMax - 1) + seeds.shuffled()
    var failure: RedisError?
    while let node = candidates.popFirst(), !Task.isCancelled {
      candidates.removeAll { $0 == node }
      do {
        return .success(try await Self.ask(node, configuration, eventLoop: eventLoop))
      } catch {
        failure = failure ?? error as? RedisError
      }
    }
    return .failure(failure ?? RedisError(.unreachable, "no node of the Redis cluster at \(places) could be asked"))
  }

  /// By a connection of its own, so that no answer waits behind a command that blocks.
  private static func ask(_ address: RedisAddress, _ configuration: RedisConfiguration, eventLoop: any EventLoop) async throws -> SlotMap {
    let silent = Logger(label: "martlet.redis.topology") { _ in SwiftLogNoOpLogHandler() }
    let node = RedisNode(configuration: configuration.at(address), eventLoop: eventLoop, logger: silent, waitsForConnection: false)
    let reply = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await node.run() }
      defer { group.cancelAll() }
      return try await node.pipeline([RedisCommand("CLUSTER", "SLOTS")], timeout: Self.answerTimeout)[0]
    }
    switch reply {
    case .success(let slots): return try SlotMap(slots, askedAt: address)
    case .failure(let error): throw explained(error, address)
    }
  }

  private static func explained(_ error: RedisError, _ node: RedisAddress) -> RedisError {
    if error.isNotPermitted {
      return RedisError(error.code, "Redis at \(node) does not tell this user where slots are; allow it cluster|slots, asking and wait")
    }
    if error.code == .server("ERR"), error.message.contains("cluster support disabled") {
      return RedisError(
        .configuration,
        "Redis at \(node) is no node of a cluster, but the Redis URL names several servers; name one, or set cluster-enabled")
    }
    return error
  }

  /// Throws when no node tells of the others, or none of the masters can be reached at the address that it tells.
  func check(_ configuration: RedisConfiguration, eventLoop: any EventLoop) async throws(RedisError) {
    await refresh(view?.version, configuration, eventLoop: eventLoop)
    guard let masters = view?.map.masters else { throw failure }
    guard !masters.isEmpty else {
      throw RedisError(.configuration, "the Redis cluster at \(places) has no slots; form it with redis-cli --cluster create")
    }
    var failure: RedisError?
    for master in masters {
      do throws(RedisError) {
        let channel = try await RedisConnector(configuration: configuration.at(master), eventLoop: eventLoop).connect { _ in }
        return channel.close(promise: nil)
      } catch { failure = failure ?? error }
    }
    guard let failure else { return }
    throw RedisError(failure.code, "\(failure.message) This is where the nodes of the cluster say they are (cluster-announce-ip)")
  }
}
