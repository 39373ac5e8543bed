package import Logging
import ServiceLifecycle
import Synchronization

/// A subscriber that acknowledges a message only after its handler has returned.
///
/// Messages are read in batches; one batch is in hand at a time and nothing is written to the broker meanwhile. When the handler returns,
/// the batch's acknowledgements go out together. When it throws or takes longer than `holdTimeout`, the connection is dropped without
/// writing, and the broker delivers the batch again, marked as a redelivery, on the next connection. So every message at QoS 1 is handled
/// at least once, whatever is killed when; an overload pauses reading, and the queue grows at the broker.
///
/// The broker keeps the session of `clientID` while this process is away. After the first connection a lost one is retried for ever.
package final class MQTTSubscriber: Service {
  package struct Limits: Sendable {
    /// A batch ends with the message that reaches either bound.
    package var batchMessages = 512
    package var batchBytes = 4 << 20
    /// Of a longer payload only this much is kept; `MQTTMessage.isTruncated` tells.
    package var payloadBytes = 256 << 10
    /// How long a batch may be in hand. Shorter than the keepalive, since no PINGREQ can be written meanwhile.
    package var holdTimeout = Duration.seconds(20)

    package init() {}
  }

  package typealias Handler = @Sendable ([MQTTMessage], MQTTSessionInfo) async throws -> Void
  package typealias Preparation = @Sendable () async throws -> Void

  private let configuration: MQTTConfiguration
  private let subscriptions: [MQTTSubscription]
  private let limits: Limits
  private let logger: Logger
  private let observe: @Sendable (MQTTConnectionEvent) -> Void
  private let prepare: Preparation?
  private let handle: Handler

  /// - Parameters:
  ///   - observe: called on the network thread; must not block.
  ///   - prepare: awaited before each attempt to connect, which fails when it throws; cancelled on graceful shutdown. With it, a first
  ///     connection that fails is tried again as any other.
  ///   - handle: called for one batch at a time, and cancelled at `holdTimeout`. Returning releases the acknowledgements.
  /// - Throws: `configuration`.
  package init(
    configuration: MQTTConfiguration, subscriptions: [MQTTSubscription], limits: Limits = Limits(), logger: Logger,
    observe: @escaping @Sendable (MQTTConnectionEvent) -> Void = { _ in }, prepare: Preparation? = nil, handle: @escaping Handler
  ) throws(MQTTError) {
    try configuration.validate()
    self.configuration = configuration
    guard !subscriptions.isEmpty, Set(subscriptions.map(\.filter)).count == subscriptions.count else {
      throw MQTTError(.configuration, "An MQTT subscriber needs at least one topic filter, and each only once.")
    }
    if let filter = subscriptions.first(where: { !MosquittoConnection.isTopicFilter($0.filter) })?.filter {
      throw MQTTError(.configuration, "'\(filter.prefix(80))' is no MQTT topic filter: + and # stand for whole levels, and # comes last.")
    }
    guard limits.holdTimeout > .zero, limits.holdTimeout < configuration.keepAlive else {
      throw MQTTError(
        .configuration,
        "The time that a batch may be held (\(limits.holdTimeout)) must be shorter than the MQTT keepalive (\(configuration.keepAlive)).")
    }
    guard limits.batchMessages > 0, limits.batchBytes > 0, limits.payloadBytes > 0 else {
      throw MQTTError(.configuration, "An MQTT subscriber's limits must be above 0.")
    }
    self.subscriptions = subscriptions
    self.limits = limits
    var logger = logger
    logger[metadataKey: "mqtt_client_id"] = "\(configuration.clientID)"
    self.logger = logger
    self.observe = observe
    self.prepare = prepare
    self.handle = handle
  }

  /// Runs until graceful shutdown: then the batch in hand is finished and acknowledged, and the broker is told goodbye. On cancellation,
  /// or when that batch fails, the connection is dropped without writing.
  /// - Throws: `MQTTError` if the first connection fails for good.
  package func run() async throws {
    let mailbox = try Mailbox<SubscriberLoop.Letter>()
    let (assignments, source) = AsyncThrowingStream.makeStream(
      of: SubscriberLoop.Assignment.self, bufferingPolicy: .bufferingNewest(1))
    try startThread(mailbox, source)
    try await withTaskCancellationHandler {
      try await withGracefulShutdownHandler {
        for try await assignment in assignments {
          mailbox.post(.outcome(of: assignment.number, await outcome(of: assignment.work)))
        }
      } onGracefulShutdown: {
        mailbox.post(.stop)
        // A thread inside `connect` has nothing in hand and ends on its own.
        if mailbox.pipe.isReaderBlocked.load(ordering: .sequentiallyConsistent) { source.finish() }
      }
    } onCancel: {
      mailbox.post(.abort)
    }
  }

  private func startThread(
    _ mailbox: Mailbox<SubscriberLoop.Letter>,
    _ assignments: AsyncThrowingStream<SubscriberLoop.Assignment, any Error>.Continuation
  ) throws(MQTTError) {
    let (configuration, subscriptions, limits, isPrepared) = (configuration, subscriptions, limits, prepare != nil)
    let tell = reporter()
    try NetworkThread.start {
      let loop = SubscriberLoop(
        configuration, subscriptions, limits, isPrepared: isPrepared, mailbox: mailbox, assignments: assignments, tell: tell)
      let failure = ConnectionLoop(configuration: configuration, pipe: mailbox.pipe).run(loop)
      assignments.finish(throwing: failure)
    }
  }

  private func reporter() -> @Sendable (MQTTConnectionEvent) -> Void {
    let (logger, observe, address) = (logger, observe, configuration.address)
    return { event in
      switch event {
      case .connected(let present):
        logger.info("connected to the MQTT broker", metadata: ["address": "\(address)", "session_present": "\(present)"])
      case .subscribed: logger.debug("the MQTT broker granted every subscription")
      case .subscriptionRefused(_, let error): logger.error("\(error)")
      case .disconnected(let error): logger.warning("\(error)")
      }
      observe(event)
    }
  }

  /// - Returns: `nil` when a batch may be acknowledged, or a connection tried.
  private func outcome(of work: SubscriberLoop.Assignment.Work) async -> MQTTError? {
    switch work {
    case .preparation: await outcomeOfPreparation()
    case .batch(let messages, let session): await outcome(of: messages, session)
    }
  }

  private func outcomeOfPreparation() async -> MQTTError? {
    do {
      try await cancelWhenGracefulShutdown { try await self.prepare?() }
      return nil
    } catch {
      return MQTTError(.unprepared, "The MQTT broker at \(configuration.address) cannot be connected to yet: \(error)")
    }
  }

  private func outcome(of messages: [MQTTMessage], _ session: MQTTSessionInfo) async -> MQTTError? {
    let timeout = limits.holdTimeout
    do {
      return try await withThrowingTaskGroup(of: MQTTError?.self) { group in
        group.addTask {
          try await self.handle(messages, session)
          return nil
        }
        group.addTask {
          try await Task.sleep(for: timeout)
          return SubscriberLoop.heldTooLong(timeout)
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
      }
    } catch {
      return MQTTError(.handler, "A batch of \(messages.count) MQTT messages was not handled and will come again: \(error)")
    }
  }
}
