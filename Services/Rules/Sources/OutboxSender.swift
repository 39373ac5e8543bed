import Commands
import EventLog
import Logging
import Models
import PostgresClient
import Store

/// Puts what the outbox holds for a shard into the event log, in order: once, because the log knows each item's key again.
///
/// The shard's owner calls it on the session that holds the shard's lock, so there is one at a time. What the log does not take now it gets with the next call.
struct OutboxSender: Sendable {
  let log: any EventLog
  let book: RuleBook
  let metrics: RulesMetrics
  let logger: Logger

  static let itemsMax = 256
  /// A command that is older than this is not sent any more: what has happened since is not known.
  static let commandAgeMax = Duration.seconds(10)
  /// A stop that comes late harms less than one that does not come.
  static let stopAgeMax = Duration.seconds(60)

  func send(_ shard: Int, _ connection: PostgresConnection) async throws {
    while true {
      let items = try await connection.run { session in try RuleOutbox.items(of: shard, limit: Self.itemsMax, in: session) }
      guard !items.isEmpty else { return }
      let done = await put(items)
      try await connection.run { session in try RuleOutbox.remove(done.map(\.id), in: session) }
      guard done.count == Self.itemsMax else { return }
    }
  }

  /// - Returns: those that are in the log, or never will be; the rest was not tried, or has to be again.
  private func put(_ items: [RuleOutbox.Item]) async -> ArraySlice<RuleOutbox.Item> {
    var rest = items[...]
    while let next = rest.first {
      if case .command(let sender) = next.message.kind {
        guard await command(next, sender: sender) else { break }
        rest.removeFirst()
      } else {
        let events = rest.prefix { $0.message.kind == .event }
        guard await append(events) else { break }
        rest.removeFirst(events.count)
      }
    }
    return items[..<rest.startIndex]
  }

  private func append(_ items: ArraySlice<RuleOutbox.Item>) async -> Bool {
    let entries = items.map { item in
      LogEntry(
        .event(
          Event(type: item.message.type, applianceID: item.message.applianceID, timestamp: item.message.madeAt, data: item.message.data)),
        fingerprint: item.key, mayBeDuplicate: true, window: .everyone, order: item.message.madeAt)
    }
    do {
      _ = try await log.append(entries)
      return true
    } catch {
      metrics.outboxFailed()
      logger.warning("The log does not take what rules have to tell; it is tried again", metadata: ["error": "\(error)"])
      return false
    }
  }

  private func command(_ item: RuleOutbox.Item, sender: String) async -> Bool {
    let message = item.message
    guard .now() - message.madeAt < (Command.isUrgent(message.type) ? Self.stopAgeMax : Self.commandAgeMax) else {
      metrics.commanded(.expired)
      logger.error("A rule's command is too old to be sent", metadata: ["appliance_id": "\(message.applianceID)", "sender": "\(sender)"])
      return true
    }
    let id = item.key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let dialect = CommandDialect.named(book.current.dialects[message.applianceID]?.rawValue ?? "generic")
    let request = CommandRequest(applianceID: message.applianceID, dialect: dialect, type: message.type, data: message.data, userID: sender)
    switch await CommandDesk(log: log, makeID: { id }).request(request, permission: .administer, mayBeRepeated: true) {
    case .accepted:
      metrics.commanded(.accepted)
      return true
    case .unavailable:
      metrics.outboxFailed()
      return false
    case .failed(let failure):
      metrics.commanded(.failed)
      logger.error(
        "A rule's command came to nothing", metadata: ["appliance_id": "\(message.applianceID)", "code": "\(failure.code.rawValue)"])
      return true
    }
  }
}
