import Models
import RedisClient

/// Hears the messages on the subscription's event loop.
final class TailReceiver: RedisSubscriptionReceiver {
  enum Signal: Sendable {
    /// The accounts have changed, or a message that said so may have been missed.
    case mayHaveChanged
    /// Nobody reads what is written.
    case readerLeft
  }

  private let style: EventLine.Style
  private let signal: AsyncStream<Signal>.Continuation
  private let following: Following
  private var pending: [UInt8] = []

  init(style: EventLine.Style, signal: AsyncStream<Signal>.Continuation, following: Following) {
    self.style = style
    self.signal = signal
    self.following = following
  }

  func subscribed(channel: String) {
    if channel == Bus.changes { signal.yield(.mayHaveChanged) } else { following.confirm(channel) }
  }

  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    if channel.elementsEqual(Bus.changes.utf8) {
      signal.yield(.mayHaveChanged)
    } else {
      pending += EventLine.line(Array(payload), style)
    }
  }

  func readCompleted() {
    guard !pending.isEmpty else { return }
    if !Console.write(pending) { signal.yield(.readerLeft) }
    pending.removeAll(keepingCapacity: true)
  }

  func disconnected() { following.lose() }
}
