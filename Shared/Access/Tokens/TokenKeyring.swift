package import Logging
internal import ServiceLifecycle
package import ServiceRuntime

/// The secrets that sign tokens with HS256, as they are now: those of a file change with the file, while the service runs. A file that can no longer be used leaves
/// the secrets that there were.
package actor TokenKeyring: Service {
  /// How often the file is looked at: a secret that was taken away is to be worth nothing soon.
  static let period = Duration.seconds(1)

  struct Entry: Sendable {
    /// Names the secret in this process; see `Principal.secretNumber`.
    let number: Int
    let secret: TokenSecret
    let key: SigningKey
  }

  private let source: FollowedSecret<TokenSecrets>?
  private let logger: Logger
  /// In the order of the file; never empty.
  private(set) var entries: [Entry] = []
  private var lastNumber = 0
  /// What the last look saw, nil where the file could not be used.
  private var seen: TokenSecrets?
  private var withdrawn: @Sendable () -> Void = {}

  /// - Parameter source: where the secrets change; nil where they do not.
  package init(_ secrets: TokenSecrets, following source: FollowedSecret<TokenSecrets>? = nil, logger: Logger? = nil) async {
    self.source = source
    self.logger = logger ?? Logger(label: "martlet.tokens") { _ in SwiftLogNoOpLogHandler() }
    entries = await makeEntries(secrets)
  }

  /// What to do when a secret is gone, and whoever came in by a token that it signed must be asked anew.
  package func whenWithdrawn(_ action: @escaping @Sendable () -> Void) { withdrawn = action }

  /// Looks at the file again and again until shutdown.
  package func run() async {
    guard source != nil else {
      try? await gracefulShutdown()
      return
    }
    await cancelWhenGracefulShutdown {
      while (try? await Task.sleep(for: Self.period)) != nil { await self.look() }
    }
  }

  /// Looks at the file once, one look at a time. Only what two looks in a row have seen counts: the first may have come while the file was being written, and a part
  /// of a secret is one too.
  func look() async {
    guard let source else { return }
    let before = seen
    seen = source.look(logger)
    if let seen, seen == before, seen.all != entries.map(\.secret) { await take(seen) }
  }

  /// The one that signs.
  var signing: SigningKey { entries[0].key }

  /// Whether the secret of that number is still among them.
  func holds(_ number: Int) -> Bool { entries.contains { $0.number == number } }

  private func take(_ secrets: TokenSecrets) async {
    let old = entries
    entries = await makeEntries(secrets)
    logger.info("The secrets that sign tokens have changed", metadata: ["secrets": "\(entries.count)"])
    if !old.allSatisfy({ holds($0.number) }) { withdrawn() }
  }

  /// A secret that was there keeps its number.
  private func makeEntries(_ secrets: TokenSecrets) async -> [Entry] {
    var made: [Entry] = []
    for secret in secrets.all {
      if let known = (entries + made).first(where: { $0.secret == secret }) {
        made.append(known)
      } else {
        lastNumber += 1
        made.append(Entry(number: lastNumber, secret: secret, key: await SigningKey(secret: secret)))
      }
    }
    return made
  }
}
