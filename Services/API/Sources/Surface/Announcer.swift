import Access
import EventLog
import Logging
import Models

/// Says that accounts have changed, after the change is committed: this replica forgets at once, the others when they hear of it.
struct Announcer: Sendable {
  let access: CachedAccess
  let log: any EventLog
  let logger: Logger

  /// Never throws: what does not hear of the change now asks anew when it is back on Redis, or when its memory runs out.
  func changed(_ change: AccessChange) async {
    access.invalidate(change)
    do {
      try await log.publish(change.encoded(), to: Bus.changes)
    } catch {
      logger.warning("a change of accounts could not be announced: \(error)")
    }
  }
}
