import Backoff
import Logging
import PostgresClient
import ServiceLifecycle

/// Keeps both books as PostgreSQL has them, asking once a second what their revisions are. A shard that is about to commit by older rules does not wait for that: it renews the
/// book itself.
struct BookKeeper: Service {
  let pool: PostgresPool
  let book: RuleBook
  let interest: InterestBook
  let logger: Logger

  static let interval = Duration.seconds(1)

  func run() async throws {
    var backoff = Backoff(shortest: Self.interval)
    var wait = Self.interval
    while !Task.isShuttingDownGracefully {
      let pause = wait
      // Ends early, and with an error, at a shutdown.
      guard (try? await cancelWhenGracefulShutdown({ try await Task.sleep(for: pause) })) != nil else { return }
      do {
        try await pool.withConnection { session in
          try book.renew(in: session)
          try interest.renew(in: session)
        }
        backoff.reset()
        wait = Self.interval
      } catch {
        logger.warning("The rules cannot be read; it is tried again", metadata: ["error": "\(error)"])
        wait = backoff.next()
      }
    }
  }
}
