import Glibc
import Models
import NIOCore
import NIOPosix
import Synchronization

/// Looks up the addresses of names, on threads of its own because the system's resolver blocks.
///
/// Answers are kept for `freshFor`, and one look-up of a name serves everybody who asks for it meanwhile. A look-up takes `timeout` at most for
/// whoever waits, however long the system takes.
final class NameResolver: Sendable {
  typealias Lookup = @Sendable (String) -> [String]

  struct TimedOut: Error {}

  private struct State {
    var known: [String: (addresses: [String], until: ContinuousClock.Instant)] = [:]
    var running: [String: EventLoopFuture<[String]>] = [:]
  }

  /// Names whose addresses are known at a time; past it all are forgotten.
  private static let knownMax = 4096
  /// As many look-ups hang at most; more wait behind them.
  private static let threadCount = 32
  private static let freshFor = Duration.seconds(30)
  /// For a name without an address, so that a mistake is not asked for again and again.
  private static let emptyFor = Duration.seconds(3)

  private let threads = NIOThreadPool(numberOfThreads: threadCount)
  private let group: any EventLoopGroup
  private let timeout: Duration
  private let lookup: Lookup
  private let state = Mutex(State())

  init(_ group: any EventLoopGroup, timeout: Duration, lookup: @escaping Lookup = { NameResolver.system($0) }) {
    (self.group, self.timeout, self.lookup) = (group, timeout, lookup)
    threads.start()
  }

  /// Ends the threads that wait; those that hang in a look-up end with it.
  func shutDown() { threads.shutdownGracefully { _ in } }

  /// The name's addresses in the order in which they should be tried; empty when it has none.
  func addresses(of host: String) async throws -> [String] {
    let running: EventLoopFuture<[String]> = state.withLock { state in
      if let known = state.known[host], known.until > .now { return group.next().makeSucceededFuture(known.addresses) }
      if let running = state.running[host] { return running }
      let future = threads.runIfActive(eventLoop: group.next()) { [lookup] in lookup(host) }
      state.running[host] = future
      future.whenComplete { [weak self] in self?.ended(host, $0) }
      return future
    }
    // The look-up cannot be stopped, but nobody waits for it longer.
    let promise = running.eventLoop.makePromise(of: [String].self)
    let end = running.eventLoop.scheduleTask(in: .nanoseconds(Int64(timeout / .nanoseconds(1)))) { promise.fail(TimedOut()) }
    running.cascade(to: promise)
    defer { end.cancel() }
    return try await promise.futureResult.get()
  }

  private func ended(_ host: String, _ result: Result<[String], any Error>) {
    state.withLock { state in
      state.running[host] = nil
      guard case .success(let addresses) = result else { return }
      if state.known.count >= Self.knownMax { state.known.removeAll() }
      state.known[host] = (addresses, .now + (addresses.isEmpty ? Self.emptyFor : Self.freshFor))
    }
  }

  /// What the system says, in the order of RFC 6724.
  static func system(_ host: String) -> [String] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return [] }
    defer { freeaddrinfo(list) }
    return sequence(first: list) { $0.pointee.ai_next }.compactMap { entry in
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let status = getnameinfo(
        entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
      return status == 0 ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
  }
}
