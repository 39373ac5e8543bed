internal import EventLog
internal import Models
internal import NIOCore
internal import WebSocketTransport

/// Hears what is called out on Redis, and wakes whom it concerns. Confined to its event loop.
final class Bell: LiveReceiver {
  private let rosters: Rosters
  private let canary: Canary
  private let changed: @Sendable (AccessChange) -> Void
  private let endAsked: @Sendable (WatchID) -> Void
  private var channels: (any LiveFeed)?

  /// - Parameters:
  ///   - changed: users, appliances, sharing or tokens have changed.
  ///   - endAsked: somebody wants the session to end.
  init(
    _ rosters: Rosters, canary: Canary, changed: @escaping @Sendable (AccessChange) -> Void,
    endAsked: @escaping @Sendable (WatchID) -> Void
  ) {
    (self.rosters, self.canary, self.changed, self.endAsked) = (rosters, canary, changed, endAsked)
  }

  func connect(_ channels: any LiveFeed, replica: String) {
    self.channels = channels
    for channel in [Bus.changes, Bus.signalEnds, canary.channel, Bus.signalRing(replica)] { channels.subscribe(channel) }
  }

  /// Rings come under this name too from now on. Those under the old one are for what is taken anew, and do no harm.
  func listen(as replica: String, insteadOf old: String) {
    channels?.subscribe(Bus.signalRing(replica))
    channels?.unsubscribe(Bus.signalRing(old))
  }

  // MARK: LiveReceiver

  func subscribed(channel: String) {
    if channel == Bus.changes { changed(.everything) }
    // Rings may have been missed: everybody looks.
    if channel.hasPrefix(Bus.signalRingPrefix) { rosters.ringAll() }
  }

  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    let name = String(decoding: channel, as: UTF8.self)
    switch name {
    case canary.channel: canary.heard(payload)
    case Bus.changes: changed(AccessChange(payload))
    case Bus.signalEnds: WatchID(String(decoding: payload, as: UTF8.self)).map(endAsked)
    default: UInt64(String(decoding: payload, as: UTF8.self)).map(rosters.ring)
    }
  }

  func readCompleted() {}
  func disconnected() {}
}
