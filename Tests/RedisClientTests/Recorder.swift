import RedisClient

/// Tells what it hears as lines of text. `AsyncStream` without a bound: a test reads all of it.
final class Recorder: RedisSubscriptionReceiver {
  private let lines: AsyncStream<String>.Continuation
  init(_ lines: AsyncStream<String>.Continuation) { self.lines = lines }
  func subscribed(channel: String) { lines.yield("subscribed \(channel)") }
  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    lines.yield("\(String(decoding: channel, as: UTF8.self)): \(String(decoding: payload, as: UTF8.self))")
  }
  func readCompleted() {}
  func disconnected() { lines.yield("disconnected") }
}

extension AsyncStream<String> {
  func next() async -> String? { await first { _ in true } }
}
