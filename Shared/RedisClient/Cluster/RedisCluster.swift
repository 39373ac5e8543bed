import Backoff
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// The nodes of a cluster as one: each call goes to the nodes that have its keys, by one connection to each, and follows when slots move.
///
/// Only what a node has not done is sent again: it said so, or could not be reached. A call that was under way when a connection broke fails, because nobody knows what became of it.
final class RedisCluster: Service, Sendable {
  private struct Member {
    let node: RedisNode
    let dismiss: AsyncStream<Void>.Continuation
    var lastUsed: ContinuousClock.Instant
  }

  /// How long a node is kept that the map does not name and nobody uses.
  private static let keptFor = Duration.seconds(60)
  /// Rounds that follow a redirection at once; later ones wait a little.
  private static let promptRounds = 5

  private let topology: ClusterTopology
  private let configuration: RedisConfiguration
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let services = MemberServices()
  private let members = Mutex<[RedisAddress: Member]>([:])
  /// Versions of the map that calls have found out of date.
  private let complaints: AsyncStream<Int?>
  private let complain: AsyncStream<Int?>.Continuation

  init(_ topology: ClusterTopology, configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger) {
    (self.topology, self.configuration, self.eventLoop, self.logger) = (topology, configuration, eventLoop, logger)
    (complaints, complain) = AsyncStream.makeStream(of: Int?.self, bufferingPolicy: .bufferingNewest(1))
  }

  func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { try await self.services.run() }
      group.addTask {
        for await seen in self.complaints.cancelOnGracefulShutdown() {
          await self.topology.refresh(seen, self.configuration, eventLoop: self.eventLoop)
        }
      }
      await cancelWhenGracefulShutdown { await self.keepUpToDate() }
    }
  }

  private func keepUpToDate() async {
    while !Task.isCancelled {
      await topology.refreshIfOld(configuration, eventLoop: eventLoop)
      dismissUnused()
      // Not all clients at once.
      try? await Task.sleep(for: ClusterTopology.ageMaxWithoutReplica * Double.random(in: 0.5...1))
    }
  }

  private func node(at address: RedisAddress) -> RedisNode {
    members.withLock { members in
      members[address]?.lastUsed = .now
      if let known = members[address] { return known.node }
      let node = RedisNode(configuration: configuration.at(address), eventLoop: eventLoop, logger: logger, waitsForConnection: false)
      members[address] = Member(node: node, dismiss: services.add(node), lastUsed: .now)
      return node
    }
  }

  private func dismissUnused() {
    guard let masters = topology.view?.map.masters else { return }
    members.withLock { members in
      let gone = members.filter { !masters.contains($0.key) && $0.value.lastUsed.duration(to: .now) > Self.keptFor }
      for (address, member) in gone {
        member.dismiss.finish()
        members[address] = nil
      }
    }
  }

  // MARK: Calls

  /// See `RedisClient.pipeline`.
  func pipeline(_ commands: [RedisCommand], timeout: Duration?, isReplicated: Bool) async throws -> [ClusterCall.Outcome] {
    let deadline = ContinuousClock.now + (timeout ?? configuration.callTimeout)
    // Half of a call's time is for the replica, so that what it does not confirm is told as that.
    var call = ClusterCall(commands, replicaTimeout_ms: isReplicated ? max(1, Int(configuration.callTimeout / .milliseconds(2))) : nil)
    var backoff = Backoff(shortest: .milliseconds(20), longest: .milliseconds(500))
    var promptRounds = Self.promptRounds
    while true {
      let mustWait = try await round(of: &call, until: deadline)
      if let result = call.result { return result }
      promptRounds -= 1
      let left = ContinuousClock.now.duration(to: deadline)
      guard left > .zero else { return call.result(at: topology.failure) }
      if mustWait || promptRounds < 0 { try await Task.sleep(for: min(backoff.next(), left)) }
    }
  }

  /// Sends what is not done yet, once. Answers whether the next round has to wait.
  private func round(of call: inout ClusterCall, until deadline: ContinuousClock.Instant) async throws -> Bool {
    guard let view = topology.view else {
      complain.yield(nil)
      return true
    }
    var verdict = ClusterCall.Verdict()
    do {
      let parts = call.parts(by: view.map)
      for (part, replies) in zip(parts, await send(parts, until: deadline)) {
        switch replies {
        case .success(let replies): verdict.add(try call.answered(part, replies))
        case .failure(let error as RedisError) where error.code == .unreachable: verdict.add(call.unreachable(part, error))
        case .failure(let error): throw error
        }
      }
    } catch {
      complain.yield(view.version)
      throw error
    }
    let mustWait = verdict.isHeldUp || call.isHomeless
    for (slot, node) in verdict.moves { topology.moved(slot, to: node) }
    if mustWait || !verdict.moves.isEmpty { complain.yield(view.version) }
    return mustWait
  }

  private typealias Replies = Result<[ClusterCall.Outcome], any Error>

  /// Side by side; waits for all.
  private func send(_ parts: [ClusterCall.Part], until deadline: ContinuousClock.Instant) async -> [Replies] {
    if parts.count == 1 { return [await send(parts[0], until: deadline)] }
    return await withTaskGroup(of: (Int, Replies).self) { group in
      for (index, part) in parts.enumerated() { group.addTask { (index, await self.send(part, until: deadline)) } }
      return await group.reduce(into: [Int: Replies]()) { $0[$1.0] = $1.1 }.sorted { $0.key < $1.key }.map(\.value)
    }
  }

  private func send(_ part: ClusterCall.Part, until deadline: ContinuousClock.Instant) async -> Replies {
    do {
      return .success(
        try await node(at: part.node).pipeline(part.commands, timeout: max(.zero, ContinuousClock.now.duration(to: deadline))))
    } catch {
      return .failure(error)
    }
  }

  /// See `RedisClient.broadcast`. A master that does not answer has failed.
  func broadcast(_ command: RedisCommand) async throws -> [ClusterCall.Outcome] {
    guard let masters = topology.view?.map.masters, !masters.isEmpty else {
      complain.yield(nil)
      throw topology.failure
    }
    return await withTaskGroup(of: ClusterCall.Outcome.self) { group in
      for master in masters {
        group.addTask {
          do {
            return try await self.node(at: master).pipeline([command], timeout: nil)[0]
          } catch {
            return .failure(error as? RedisError ?? RedisError(.closed, "the call was given up"))
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
  }
}
