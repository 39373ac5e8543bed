package import Logging
internal import ServiceLifecycle
internal import Backoff

/// The keys that an issuer publishes as a key set (RFC 7517) in a file or at a URL, kept as they are now.
///
/// The set is read at start, then every `refreshPeriod`, and once more when a token names a key that is not in it, at most every `pause`.
/// While it cannot be read, the last one serves for `servedFor`.
package actor PublishedKeys: Service {
  package struct Timing: Sendable {
    package var refreshPeriod: Duration
    package var pause = Duration.seconds(5)
    package var servedFor = Duration.seconds(86_400)

    package init(refreshPeriod: Duration, pause: Duration = .seconds(5)) {
      self.refreshPeriod = refreshPeriod
      self.pause = pause
    }
  }

  enum Lookup: Sendable {
    case found(SigningKey)
    /// The issuer has no such key.
    case unknown
    /// Whether it has one cannot be told now.
    case unavailable
  }

  /// Keys of one set; those beyond are not used.
  static let keyCountMax = 64
  /// Tokens that may wait for one reading of the set; for the next one it is unavailable.
  private static let waitersMax = 4096

  private let source: KeySetSource
  private let timing: Timing
  private let roleClaim: String?
  private let logger: Logger
  private let now: @Sendable () -> ContinuousClock.Instant

  private var keys: [SigningKey] = []
  private var readAt: ContinuousClock.Instant?
  private var triedAt: ContinuousClock.Instant?
  private var failed = false
  private var isReading = false
  private var waiters: [CheckedContinuation<Void, Never>] = []

  package init(
    _ source: KeySetSource, timing: Timing? = nil, roleClaim: String? = nil, logger: Logger,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.source = source
    self.timing = timing ?? Timing(refreshPeriod: source.refreshPeriod)
    self.roleClaim = roleClaim
    self.logger = logger
    self.now = now
  }

  /// Reads the set again and again until shutdown; after a failure sooner, with a jittered backoff.
  package func run() async {
    await cancelWhenGracefulShutdown { await self.follow() }
  }

  private func follow() async {
    var backoff = Backoff(shortest: .seconds(1), longest: .seconds(60))
    if triedAt == nil { await refresh() }
    while true {
      if !failed { backoff.reset() }
      let wait = failed ? min(backoff.next(), timing.refreshPeriod) : timing.refreshPeriod
      guard (try? await Task.sleep(for: wait)) != nil else { return }
      await refresh()
    }
  }

  /// Reads the set; when that is under way already, waits for its end. Failures are logged, and told by `find`.
  package func refresh() async {
    guard !isReading else { return await withCheckedContinuation { waiters.append($0) } }
    isReading = true
    triedAt = now()
    do throws(KeySetError) {
      take(try await SigningKey.all(in: source.read(), roleClaim: roleClaim))
    } catch {
      if !failed { logger.warning("The token issuer's keys cannot be read", metadata: ["source": "\(source)", "error": "\(error)"]) }
      failed = true
    }
    isReading = false
    for waiter in waiters { waiter.resume() }
    waiters.removeAll()
  }

  /// Whether there is a key to check tokens with.
  var isUsable: Bool { !keys.isEmpty }

  /// The key that signs with `algorithm` under the name `id`. A token without a name is signed by the only key there is.
  func find(_ algorithm: SigningKey.Algorithm, id: String?) async -> Lookup {
    if let key = known(algorithm, id) { return .found(key) }
    if isReading && waiters.count >= Self.waitersMax { return .unavailable }
    if triedAt.map({ $0.duration(to: now()) >= timing.pause }) ?? true || isReading {
      await refresh()
      if let key = known(algorithm, id) { return .found(key) }
    }
    return failed || readAt == nil ? .unavailable : .unknown
  }

  private func known(_ algorithm: SigningKey.Algorithm, _ id: String?) -> SigningKey? {
    guard let readAt, readAt.duration(to: now()) < timing.servedFor else { return nil }
    let candidates = keys.filter { $0.algorithm == algorithm && (id == nil || $0.id == id) }
    return candidates.count == 1 ? candidates.first : nil
  }

  private func take(_ read: [SigningKey]) {
    if failed || readAt == nil || read.map(\.id) != keys.map(\.id) {
      logger.info("The token issuer's keys were read", metadata: ["source": "\(source)", "keys": "\(read.count)"])
    }
    (keys, readAt, failed) = (read, now(), false)
  }
}

extension SigningKey {
  /// The usable ones of a set's first `PublishedKeys.keyCountMax` keys.
  fileprivate static func all(in text: [UInt8], roleClaim: String?) async throws(KeySetError) -> [SigningKey] {
    guard let published = try? PublishedKey.all(in: text) else { throw KeySetError(reason: "is not a JSON Web Key Set: {\"keys\": […]}") }
    var keys: [SigningKey] = []
    for entry in published.prefix(PublishedKeys.keyCountMax) {
      if let key = await SigningKey(entry, roleClaim: roleClaim) { keys.append(key) }
    }
    return keys
  }
}
