import Logging
import Models
import ServiceLifecycle
import Store

/// Removes what has run out: revocations, and refresh tokens. Any replica may, all at once too.
struct TokenSweeper: Service {
  let accounts: AccountStore
  let logger: Logger

  private static let interval = Duration.seconds(3600)

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        // So that replicas that started together do not sweep together.
        guard (try? await Task.sleep(for: Self.interval * Double.random(in: 0.5...1))) != nil else { return }
        do {
          try await accounts.removeExpiredTokens(now: .now())
        } catch {
          logger.warning("expired tokens were not removed, which is tried again: \(error)")
        }
      }
    }
  }
}
