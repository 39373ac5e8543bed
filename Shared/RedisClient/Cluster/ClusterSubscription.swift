import Backoff
import NIOCore
import ServiceLifecycle

/// Keeps a `ClusterFeed` at the cluster's masters as they are.
final class ClusterSubscription: Service {
  let feed: NIOLoopBound<ClusterFeed>
  private let services: MemberServices
  private let topology: ClusterTopology
  private let configuration: RedisConfiguration
  private let eventLoop: any EventLoop

  /// To be called on `eventLoop`.
  init(_ feed: ClusterFeed, topology: ClusterTopology, configuration: RedisConfiguration, eventLoop: any EventLoop) {
    self.feed = NIOLoopBound(feed, eventLoop: eventLoop)
    services = feed.services
    (self.topology, self.configuration, self.eventLoop) = (topology, configuration, eventLoop)
  }

  func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { try await self.services.run() }
      try await cancelWhenGracefulShutdown { try await self.followMap() }
    }
    try await eventLoop.submit { [feed] in feed.value.closeAll() }.get()
  }

  /// Looks often while a master is missing, and at once when one is lost.
  private func followMap() async throws {
    var backoff = Backoff(shortest: .milliseconds(50), longest: .seconds(1))
    var isWhole = true
    while !Task.isCancelled {
      if isWhole {
        await topology.refreshIfOld(configuration, eventLoop: eventLoop)
      } else {
        await topology.refresh(topology.view?.version, configuration, eventLoop: eventLoop)
      }
      let map = topology.view?.map
      let losses: AsyncStream<Void>
      (isWhole, losses) = try await eventLoop.submit { [feed] in
        if let map { feed.value.apply(map) }
        return (feed.value.isWhole, feed.value.nextLoss())
      }.get()
      if isWhole { backoff.reset() }
      let isLost = await Self.wait(isWhole ? ClusterTopology.ageMax * Double.random(in: 0.5...1) : backoff.next(), for: losses)
      if isLost { isWhole = false }
    }
  }

  /// Whether a connection was lost before the time was over.
  private static func wait(_ time: Duration, for losses: AsyncStream<Void>) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask { await losses.first { _ in true } != nil }
      group.addTask {
        try? await Task.sleep(for: time)
        return false
      }
      defer { group.cancelAll() }
      return await group.next() ?? false
    }
  }
}
