import Logging
import Models
import PostgresClient
import RuleEvaluation
import Store
import Synchronization

/// The rules and the appliances as they were last read, for all shards of this replica.
final class RuleBook: Sendable {
  /// One reading.
  struct Edition: Sendable {
    let revision: RuleRows.Revision
    let rules: [Rule]
    let byID: [String: Rule]
    let dialects: [ApplianceID: Dialect]

    init(_ reading: RuleRows.Reading) {
      (revision, rules, dialects) = (reading.revision, reading.rules, reading.dialects)
      byID = Dictionary(rules.map { ($0.id, $0) }) { first, _ in first }
    }
  }

  private let edition: Mutex<Edition>
  private let logger: Logger

  init(_ reading: RuleRows.Reading, logger: Logger) {
    edition = Mutex(Edition(reading))
    self.logger = logger
    tell(reading)
  }

  var current: Edition { edition.withLock { $0 } }

  /// Reads anew if there is anything new. To be called outside of a transaction.
  func renew(in session: PostgresSession) throws {
    guard try RuleRows.revision(in: session) != current.revision else { return }
    let reading = try RuleRows.read(in: session)
    let isNewest = edition.withLock { edition in
      // Two may read at once, and the earlier may be done later.
      guard reading.revision.isLater(than: edition.revision) else { return false }
      edition = Edition(reading)
      return true
    }
    if isNewest { tell(reading) }
  }

  private func tell(_ reading: RuleRows.Reading) {
    logger.info("rules read", metadata: ["rules": "\(reading.rules.count)", "appliances": "\(reading.dialects.count)"])
    for (id, error) in reading.unreadable {
      logger.error("A rule cannot be read and is left out", metadata: ["rule": "\(id)", "error": "\(error)"])
    }
  }
}

extension RuleRows.Revision {
  fileprivate func isLater(than other: Self) -> Bool { rules > other.rules || appliances > other.appliances }
}
