import EventLog
import Models
import Store

/// What a page of the log means to a consumer whose cursor is known.
enum PageDecision: Equatable {
  case idle
  case store
  /// The log is not the one that the cursor belongs to: begin again with `cursor`.
  case startOver(LogCursor, Reason)

  enum Reason: String, CaseIterable {
    /// The log was lost: it has begun anew, or will with the next event.
    case newEpoch = "new_epoch"
    /// The log lost its end: it is behind what was stored of it.
    case rolledBack = "rolled_back"
  }

  init(_ page: LogPage, cursor: LogCursor) {
    // Empty on both sides: nothing written in the log's present life, and nothing read of it.
    if !cursor.epoch.isEmpty, page.epoch != cursor.epoch {
      self = .startOver(Self.anew(cursor, epoch: page.epoch), .newEpoch)
    } else if page.lastID < cursor.position {
      self = .startOver(Self.anew(cursor, epoch: page.epoch), .rolledBack)
    } else {
      self = page.records.isEmpty ? .idle : .store
    }
  }

  /// What was stored before stays known, so that what is still in the log is not stored twice.
  private static func anew(_ cursor: LogCursor, epoch: String) -> LogCursor {
    LogCursor(
      consumer: cursor.consumer, shard: cursor.shard, epoch: epoch, position: .zero, knownUntil: max(cursor.knownUntil, cursor.position))
  }
}
