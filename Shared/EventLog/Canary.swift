import Models
import Synchronization

/// Whether events get through: a message published on Redis and heard again on the very subscription that feeds the clients.
package final class Canary: Sendable {
  /// Why the service is not ready.
  package enum Failure: Error, CustomStringConvertible {
    case notHeard(Duration)

    package var description: String {
      switch self {
      case .notHeard(let deadline): "A message published on Redis was not heard on the subscription within \(deadline)"
      }
    }
  }

  /// To be listened to; what comes in there is for `heard`.
  package let channel: String
  private let publish: @Sendable ([UInt8], String) async throws -> Void
  private let deadline: Duration
  private let waiting = Mutex<[String: AsyncStream<Void>.Continuation]>([:])

  /// - Parameters:
  ///   - replica: names this process; another one must not hear this one's messages.
  ///   - publish: sends a message to a channel.
  package init(replica: String, deadline: Duration = .seconds(2), publish: @escaping @Sendable ([UInt8], String) async throws -> Void) {
    channel = Bus.canary(replica)
    self.deadline = deadline
    self.publish = publish
  }

  /// A message came in on `channel`.
  package func heard(_ message: UnsafeRawBufferPointer) {
    waiting.withLock { $0[String(decoding: message, as: UTF8.self)] }?.yield()
  }

  /// Throws when a message does not come back by the deadline.
  package func check() async throws {
    let nonce = String(UInt64.random(in: .min ... .max), radix: 36)
    let (echoes, sink) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
    waiting.withLock { $0[nonce] = sink }
    defer { _ = waiting.withLock { $0.removeValue(forKey: nonce) } }
    try await publish(Array(nonce.utf8), channel)
    let isHeard = await withTaskGroup { group in
      group.addTask { await echoes.first { _ in true } != nil }
      group.addTask { [deadline] in
        try? await Task.sleep(for: deadline)
        return false
      }
      defer { group.cancelAll() }
      return await group.next() ?? false
    }
    guard isHeard else { throw Failure.notHeard(deadline) }
  }
}
