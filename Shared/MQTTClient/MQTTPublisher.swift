package import Logging
import ServiceLifecycle
import Synchronization

/// Publishes, and reports what the broker answered.
///
/// A call waits for a connection, then for the broker's acknowledgement, until its deadline. One whose connection ends meanwhile fails with
/// `connectionLost`: whether the broker took it is unknown, and it is not sent again. Calls go out in the order they were made.
package final class MQTTPublisher: Service {
  package struct Limits: Sendable {
    /// Calls that wait or are in flight; one more is refused with `overloaded`.
    package var calls = 1024
    /// Payload bytes of those calls.
    package var payloadBytes = 32 << 20

    package init() {}
  }

  private let configuration: MQTTConfiguration
  private let limits: Limits
  private let logger: Logger
  private let observe: @Sendable (MQTTConnectionEvent) -> Void
  private let mailbox: Mailbox<PublisherLoop.Letter>
  private let admitted = Mutex((calls: 0, payloadBytes: 0, lastID: 0))

  /// - Parameters:
  ///   - configuration: its client id must not be a subscriber's. No session is kept.
  ///   - observe: called on the network thread; must not block.
  package init(
    configuration: MQTTConfiguration, limits: Limits = Limits(), logger: Logger,
    observe: @escaping @Sendable (MQTTConnectionEvent) -> Void = { _ in }
  ) throws(MQTTError) {
    try configuration.validate()
    var configuration = configuration
    configuration.sessionExpiry = .zero
    self.configuration = configuration
    self.limits = limits
    self.logger = logger
    self.observe = observe
    mailbox = try Mailbox()
  }

  /// Runs until graceful shutdown; then calls in flight are finished, within their deadlines, and the broker is told goodbye.
  /// - Throws: `MQTTError` if the first connection fails for good.
  package func run() async throws {
    let (ended, end) = AsyncThrowingStream.makeStream(of: Never.self)
    try startThread(end)
    let mailbox = mailbox
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler {
        for try await _ in ended {}
      } onGracefulShutdown: {
        mailbox.post(.stop)
        if mailbox.pipe.isReaderBlocked.load(ordering: .sequentiallyConsistent) { end.finish() }
      }
    } onCancel: {
      mailbox.post(.abort)
    }
  }

  private func startThread(_ end: AsyncThrowingStream<Never, any Error>.Continuation) throws(MQTTError) {
    let (configuration, mailbox, logger, observe) = (configuration, mailbox, logger, observe)
    try NetworkThread.start {
      let loop = PublisherLoop(configuration, mailbox: mailbox) { event in
        if case .disconnected(let error) = event { logger.warning("\(error)") }
        observe(event)
      }
      let failure = ConnectionLoop(configuration: configuration, pipe: mailbox.pipe).run(loop)
      loop.close(failure)
      end.finish(throwing: failure)
    }
  }

  /// Publishes one message. A call made before `run()` waits for it.
  ///
  /// - Parameters:
  ///   - timeout: for all of it, waiting for a connection included.
  ///   - waitsForConnection: false for a message that is not to go out later than now: without a connection it fails with `unreachable`.
  /// - Returns: the broker's answer.
  /// - Throws: `MQTTError`: `refused` with the broker's reason code, `timeout`, `connectionLost`, `unreachable`, `overloaded`, `invalidMessage`,
  ///   `closed`; `CancellationError`.
  @discardableResult
  package func publish(
    _ publication: MQTTPublication, timeout: Duration = .seconds(10), waitsForConnection: Bool = true
  ) async throws -> MQTTAcknowledgement {
    try publication.validated(for: configuration.protocolVersion)
    let id = try admit(publication.payload.count)
    defer { release(publication.payload.count) }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
        let call = PublisherLoop.Call(
          id: id, publication: publication, deadline: .now + timeout, waitsForConnection: waitsForConnection, answer: continuation)
        if !mailbox.post(.publish(call)) { continuation.resume(throwing: PublisherLoop.closedError) }
      }
    } onCancel: {
      mailbox.post(.cancel(id: id))
    }
  }

  private func admit(_ bytes: Int) throws(MQTTError) -> Int {
    let id: Int? = admitted.withLock { admitted in
      guard admitted.calls < limits.calls, admitted.payloadBytes + bytes <= limits.payloadBytes else { return nil }
      admitted.calls += 1
      admitted.payloadBytes += bytes
      admitted.lastID += 1
      return admitted.lastID
    }
    guard let id else {
      throw MQTTError(.overloaded, "Too many MQTT messages wait for the broker at \(configuration.address): nothing was sent.")
    }
    return id
  }

  private func release(_ bytes: Int) {
    admitted.withLock { admitted in
      admitted.calls -= 1
      admitted.payloadBytes -= bytes
    }
  }
}
