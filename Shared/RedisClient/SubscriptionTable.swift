/// Which channels are wanted, which the server has been asked for, and what it has confirmed: pure.
///
/// Not a queue: it holds each channel once, and its owner bounds how many it asks for.
struct SubscriptionTable {
  private struct Entry {
    var isWanted = false
    /// What the server was asked last on this connection.
    var isRequested = false
    /// Commands that it has not confirmed yet.
    var unconfirmedCount = 0
    var isChanged = false
    /// Whether it was given up and wanted again: whoever wants it now has heard of no confirmation, so the server is asked once more.
    var isWantedAnew = false
  }

  /// How many channels go into one command.
  static let batchCount = 512

  private var entries: [String: Entry] = [:]
  private var changed: [String] = []

  /// True when there is something new to send.
  mutating func subscribe(_ channel: String) -> Bool { want(channel, true) }
  mutating func unsubscribe(_ channel: String) -> Bool { want(channel, false) }

  private mutating func want(_ channel: String, _ isWanted: Bool) -> Bool {
    guard isWanted || entries[channel] != nil else { return false }
    var entry = entries[channel, default: Entry()]
    entry.isWantedAnew = isWanted && (entry.isWantedAnew || !entry.isWanted)
    entry.isWanted = isWanted
    entries[channel] = entry
    markChanged(channel)
    return true
  }

  private mutating func markChanged(_ channel: String) {
    guard entries[channel]?.isChanged == false else { return }
    entries[channel]?.isChanged = true
    changed.append(channel)
  }

  /// Something was missed elsewhere: every channel is to be confirmed once more.
  mutating func confirmAnew() {
    for (channel, entry) in entries where entry.isWanted {
      entries[channel]?.isWantedAnew = true
      markChanged(channel)
    }
  }

  /// A new connection, on which nothing has been asked for yet.
  mutating func connected() {
    changed.removeAll()
    entries = entries.filter(\.value.isWanted).mapValues { _ in Entry(isWanted: true, isChanged: true) }
    changed.append(contentsOf: entries.keys)
  }

  /// The commands that make the server's channels those that are wanted. What was asked for and given up in between costs nothing.
  mutating func takeCommands() -> [RedisCommand] {
    var additions: [String] = []
    var removals: [String] = []
    for channel in changed {
      guard var entry = entries[channel] else { continue }
      entry.isChanged = false
      if entry.isWanted != entry.isRequested || entry.isWantedAnew {
        entry.isWantedAnew = false
        entry.isRequested = entry.isWanted
        entry.unconfirmedCount += 1
        if entry.isWanted { additions.append(channel) } else { removals.append(channel) }
      }
      entries[channel] = entry.isWanted || entry.unconfirmedCount > 0 ? entry : nil
    }
    changed.removeAll()
    return Self.commands("UNSUBSCRIBE", removals) + Self.commands("SUBSCRIBE", additions)
  }

  private static func commands(_ name: String, _ channels: [String]) -> [RedisCommand] {
    stride(from: 0, to: channels.count, by: batchCount).map { start in
      var command = RedisCommand(name)
      for channel in channels[start..<min(start + batchCount, channels.count)] { command.append(channel) }
      return command
    }
  }

  /// The server has confirmed one channel. True when that channel is now subscribed for good: no later command about it is under way.
  mutating func confirmed(_ channel: String) -> Bool {
    guard var entry = entries[channel], entry.unconfirmedCount > 0 else { return false }
    entry.unconfirmedCount -= 1
    let isGone = !entry.isWanted && entry.unconfirmedCount == 0 && !entry.isRequested && !entry.isChanged
    entries[channel] = isGone ? nil : entry
    return entry.unconfirmedCount == 0 && entry.isRequested && entry.isWanted
  }
}
