package import Models

/// The durable log of everything that devices say, split into `Bus.shardCount` shards, together with what is live and what is newest.
///
/// The port behind which Redis stands (`RedisEventLog`), or this process's memory in tests (`MemoryEventLog`). One contract suite runs on both.
package protocol EventLog: Sendable {
  /// Takes entries in, in order within a shard. For an event it is one step: into the log, into the newest state and the history of its appliance, and
  /// out to whoever is listening, so live order is log order.
  ///
  /// When it returns, every entry is either durable or known as a duplicate; there is one outcome per entry. When it throws, any of them may be in the log: the caller
  /// keeps them and appends again, with `mayBeDuplicate` set. Once a writer that has a name has appended to a shard again, its failed call cannot take effect there any more, however late the server comes to it.
  func append(_ entries: [LogEntry]) async throws -> [AppendOutcome]

  /// Up to `limit` records of a shard behind `after`, in order. Waits up to `wait` for one where there are none, then answers an empty page.
  func read(shard: Int, after: EventID, limit: Int, wait: Duration) async throws -> LogPage

  /// Forgets a shard's records up to and with `last`: all its consumers are past it.
  func trim(shard: Int, through last: EventID) async throws

  /// The newest event of each type of one appliance, in the order of the log.
  func state(of appliance: ApplianceID) async throws -> [Event]

  /// The discrete events of one appliance behind `after`, in order.
  func history(of appliance: ApplianceID, after: EventID) async throws -> EventHistory

  /// One command of an appliance that has no outcome yet; nil for any other id.
  func openCommand(_ id: String, of appliance: ApplianceID) async throws -> OpenCommand?

  /// All commands of an appliance that have no outcome yet; `LogLimits.openCommandsPerAppliance` bounds them.
  func openCommands(of appliance: ApplianceID) async throws -> [OpenCommand]

  /// Up to `limit` open commands of a shard whose deadline has passed at `now`, the oldest deadline first.
  func overdueCommands(shard: Int, now: Timestamp, limit: Int) async throws -> [OpenCommand]

  /// How much memory the log's server uses; of several the fullest.
  func usage() async throws -> LogUsage

  /// Tells whoever listens on a channel; nothing is kept. For announcements and canaries, never for events.
  func publish(_ message: [UInt8], to channel: String) async throws
}

/// One thing to append.
package struct LogEntry: Sendable {
  package enum Content: Hashable, Sendable {
    case event(Event)
    /// Kept for a person to look at; it is nobody's state and is not published.
    case deadLetter(DeadLetter)
  }

  /// Whose recent messages a fingerprint is looked for in.
  package enum Window: Hashable, Sendable {
    /// This writer's: for redeliveries of its own session. However long it was away, other writers have not pushed its fingerprints out.
    case writer
    /// All writers': for message ids of the device's own, which may come through any of them.
    case everyone
  }

  package var content: Content
  /// 16 bytes by which this message is known again, or nil for one that cannot come twice.
  package var fingerprint: [UInt8]?
  /// Whether to refuse the entry if its fingerprint was seen lately. Where this is false it is only remembered.
  package var mayBeDuplicate: Bool
  package var window: Window
  /// By which newest is told: the device's time, but never far ahead of ours.
  package var order: Timestamp
  /// For an event of a command's life: what it does to the command. A step that is refused keeps the event out of the log.
  package var step: CommandStep?

  package init(
    _ content: Content, fingerprint: [UInt8]? = nil, mayBeDuplicate: Bool = false, window: Window = .writer, order: Timestamp,
    step: CommandStep? = nil
  ) {
    self.content = content
    self.fingerprint = fingerprint
    self.mayBeDuplicate = mayBeDuplicate
    self.window = window
    self.order = order
    self.step = step
  }

  package var shard: Int {
    switch content {
    case .event(let event): Bus.shard(of: event.applianceID)
    case .deadLetter(let letter): Bus.shard(of: letter.topic.utf8)
    }
  }
}

package enum AppendOutcome: Hashable, Sendable {
  /// Durable, under this id. A late event is older than the newest of its type and did not replace it.
  case appended(EventID, isLate: Bool)
  /// Refused: it is in the log already.
  case duplicate
  /// A command's step that cannot be: the command has its outcome, is told as sent already or was never open, or too many are. The event is not in the log.
  case refused
}

/// One thing that the log holds.
package struct LogRecord: Hashable, Sendable {
  package let id: EventID
  package let content: LogEntry.Content
  package let isLate: Bool

  package init(id: EventID, content: LogEntry.Content, isLate: Bool) {
    self.id = id
    self.content = content
    self.isLate = isLate
  }
}

package struct LogPage: Hashable, Sendable {
  package let records: [LogRecord]
  /// Names this life of the shard. Another one than before means that the log was lost and begun anew. Empty before the first append.
  package let epoch: String
  /// The last id that the shard has ever given in this life. One below a reader's cursor means that the log was rolled back.
  package let lastID: EventID
  /// What the log's clock showed when the read began, in whole milliseconds: what the shard takes in behind an empty page is not older.
  package let time: Timestamp

  package init(records: [LogRecord], epoch: String, lastID: EventID, time: Timestamp) {
    self.records = records
    self.epoch = epoch
    self.lastID = lastID
    self.time = time
  }
}

package struct EventHistory: Hashable, Sendable {
  package let events: [Event]
  /// Whether these are provably all; false when some may have been forgotten.
  package let isComplete: Bool

  package init(events: [Event], isComplete: Bool) {
    self.events = events
    self.isComplete = isComplete
  }
}

package struct LogUsage: Hashable, Sendable {
  package let used_bytes: Int
  /// Past it the log takes nothing more in; nil where there is no bound.
  package let limit_bytes: Int?

  package init(used_bytes: Int, limit_bytes: Int?) {
    self.used_bytes = used_bytes
    self.limit_bytes = limit_bytes
  }
}

/// What the log keeps besides the stream. Both adapters go by it.
package struct LogLimits: Sendable {
  /// Fingerprints in each half of a shard's window: several times what brokers have in flight.
  package var window = 8192
  /// How long a window stays that nobody adds to: longer than a writer may be away.
  package var windowLifetime = Duration.seconds(8 * 86_400)
  /// Discrete events kept for each appliance.
  package var history = 512
  /// How long the history of an appliance stays that has no more discrete events.
  package var historyLifetime = Duration.seconds(86_400)
  /// Event types whose newest is kept for each appliance; what is beyond is stored, but not kept as newest.
  package var typesPerAppliance = 128
  /// Commands of one appliance without an outcome; urgent ones find room for twice as many.
  package var openCommandsPerAppliance = 64

  package init() {}
}
