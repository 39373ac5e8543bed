import ServiceLifecycle

/// Runs a service for each node of a cluster, from when it is needed until it is dismissed.
final class MemberServices: Service {
  private struct Member {
    let service: any Service
    let dismissal: AsyncStream<Void>
  }

  private let arrivals: AsyncStream<Member>
  private let arrive: AsyncStream<Member>.Continuation

  init() {
    // They are taken out as they come; before `run()` there are not more than a cluster has nodes.
    (arrivals, arrive) = AsyncStream.makeStream(of: Member.self, bufferingPolicy: .bufferingOldest(2 * SlotMap.nodeCountMax))
  }

  /// From any thread. The service runs until the returned stream is finished.
  func add(_ service: any Service) -> AsyncStream<Void>.Continuation {
    let (dismissal, dismiss) = AsyncStream.makeStream(of: Void.self)
    arrive.yield(Member(service: service, dismissal: dismissal))
    return dismiss
  }

  func run() async throws {
    await withDiscardingTaskGroup { group in
      for await member in arrivals.cancelOnGracefulShutdown() {
        group.addTask { await Self.run(member) }
      }
    }
  }

  private static func run(_ member: Member) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await member.service.run() }
      group.addTask { for await _ in member.dismissal {} }
      _ = await group.next()
      group.cancelAll()
    }
  }
}
