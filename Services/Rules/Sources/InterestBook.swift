import Models
import PostgresClient
import Store
import Synchronization

/// What webhooks want, as it was last read, for all shards of this replica.
final class InterestBook: Sendable {
  private let reading = Mutex<(revision: Int64, interest: WebhookInterest)>((0, .none))

  var current: WebhookInterest { reading.withLock { $0.interest } }

  /// Reads anew if there is anything new.
  func renew(in session: PostgresSession) throws {
    // Asked first: what changes meanwhile has a later revision, and is read next time.
    let revision = try WebhookInterest.revision(in: session)
    guard revision != reading.withLock({ $0.revision }) else { return }
    let interest = try WebhookInterest.read(in: session)
    reading.withLock { if revision > $0.revision { $0 = (revision, interest) } }
  }
}
