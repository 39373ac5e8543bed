import Glibc

/// The gate: what a subscriber does on its network thread.
///
/// Two rules hold the acknowledgements back. Nothing is written while a batch is in hand: the library's queue then holds acknowledgements
/// that must not leave. And nothing is read while the library's queue is not empty: acknowledgements of the next batch would line up behind
/// what may be written.
final class SubscriberLoop: BrokerConversation {
  /// What is done elsewhere while the thread waits. One is in hand at a time.
  struct Assignment: Sendable {
    enum Work: Sendable {
      /// What has to be done before a connection.
      case preparation
      case batch([MQTTMessage], MQTTSessionInfo)
    }

    let number: Int
    let work: Work
  }

  enum Letter: Sendable {
    case outcome(of: Int, MQTTError?)
    /// Finish the batch in hand, then say goodbye.
    case stop
    /// Drop everything.
    case abort
  }

  private let configuration: MQTTConfiguration
  private let subscriptions: [MQTTSubscription]
  private let limits: MQTTSubscriber.Limits
  /// Whether each connection has to be prepared.
  private let isPrepared: Bool
  private let mailbox: Mailbox<Letter>
  private let assignments: AsyncThrowingStream<Assignment, any Error>.Continuation
  private let tell: @Sendable (MQTTConnectionEvent) -> Void

  private(set) var isStopping = false
  private var isAborting = false
  private var connectionCount = 0
  private var assignmentNumber = 0
  /// Of the assignment `assignmentNumber`.
  private var outcome: MQTTError??
  /// For MQTT 3.1.1, whose messages cannot carry one.
  private var sessionToken = SubscriberLoop.randomToken()

  init(
    _ configuration: MQTTConfiguration, _ subscriptions: [MQTTSubscription], _ limits: MQTTSubscriber.Limits, isPrepared: Bool,
    mailbox: Mailbox<Letter>, assignments: AsyncThrowingStream<Assignment, any Error>.Continuation,
    tell: @escaping @Sendable (MQTTConnectionEvent) -> Void
  ) {
    self.configuration = configuration
    self.subscriptions = subscriptions
    self.limits = limits
    self.isPrepared = isPrepared
    self.mailbox = mailbox
    self.assignments = assignments
    self.tell = tell
  }

  var nextDeadline: ContinuousClock.Instant? { nil }

  func connectionChanged(_ event: MQTTConnectionEvent) { tell(event) }

  func attend() {
    for letter in mailbox.takeAll() {
      switch letter {
      case .outcome(assignmentNumber, let error): outcome = .some(error)
      case .outcome: break  // of one that was given up
      case .stop: isStopping = true
      case .abort: (isStopping, isAborting) = (true, true)
      }
    }
  }

  private static func randomToken() -> UInt32 { .random(in: 1...268_435_455) }

  var endsWithoutFirstConnection: Bool { !isPrepared }

  func prepare() throws(MQTTError) {
    if isPrepared { try assign(.preparation, until: nil) }
  }

  func makeConnection() throws(MQTTError) -> MosquittoConnection {
    // With MQTT 5 each message brings its own token, so a new one may be used for each connection.
    if configuration.protocolVersion == .v5 { sessionToken = Self.randomToken() }
    return try MosquittoConnection(configuration, cleanStart: false, sessionToken: sessionToken, payloadBytesMax: limits.payloadBytes)
  }

  func serve(_ connection: MosquittoConnection, sessionPresent: Bool) throws(MQTTError) {
    connectionCount += 1
    let session = MQTTSessionInfo(clientID: configuration.clientID, isPresent: sessionPresent, connection: connectionCount)
    var requests = SubscriptionRequests(subscriptions, now: .now)
    let steadyFrom = ContinuousClock.now + .seconds(30)
    var mayHaveMore = true  // CONNACK and the first messages may have come together
    while true {
      if !connection.messages.isEmpty { try hold(connection, session) }
      attend()
      if isAborting { throw MQTTError(.closed, "The MQTT subscriber was cancelled.") }
      if isStopping { return try connection.disconnect() }
      if .now > steadyFrom { connection.wasUseful = true }
      try keepUp(connection, &requests)
      let wantsWrite = connection.wantsWrite
      let until = mayHaveMore && !wantsWrite ? .now : min(.now + .seconds(1), requests.nextDeadline ?? .now + .seconds(1))
      let isReady = mailbox.pipe.wait(socket: connection.socket, for: wantsWrite ? POLLOUT : POLLIN, until: until)
      if !wantsWrite, isReady || mayHaveMore { mayHaveMore = try fill(connection) }
      try settle(connection, &requests)
    }
  }

  /// Everything that writes, between batches.
  private func keepUp(_ connection: MosquittoConnection, _ requests: inout SubscriptionRequests) throws(MQTTError) {
    for subscription in requests.due(at: .now) {
      let id = try connection.subscribe(subscription)
      requests.asked(for: subscription, requestID: id, answerBy: .now + configuration.handshakeTimeout + limits.holdTimeout)
    }
    if let filter = requests.overdue(at: .now) {
      throw MQTTError(.connectionLost, "The MQTT broker at \(configuration.address) did not answer the subscription '\(filter)' in time.")
    }
    try connection.tick()
    if connection.wantsWrite { try connection.flush() }
  }

  /// Reads up to a full batch.
  /// - Returns: whether more may be waiting where `poll` does not see it.
  private func fill(_ connection: MosquittoConnection) throws(MQTTError) -> Bool {
    while connection.messages.count < limits.batchMessages, connection.messageBytes < limits.batchBytes {
      let before = connection.progress
      try connection.read()
      if connection.progress == before { return false }
    }
    return true
  }

  private func settle(_ connection: MosquittoConnection, _ requests: inout SubscriptionRequests) throws(MQTTError) {
    for case .subscriptionAnswered(let id, let code) in connection.takeNotices() {
      switch requests.answered(requestID: id, reasonCode: code, at: .now, random: .random(in: 0...1)) {
      case .allGranted: tell(.subscribed)
      case .refused(let filter):
        tell(.subscriptionRefused(filter: filter, .refusedSubscription(filter, code, configuration)))
      case .granted, nil: break
      }
    }
  }

  /// Hands the batch over and waits for its outcome; then, and only then, lets its acknowledgements go.
  private func hold(_ connection: MosquittoConnection, _ session: MQTTSessionInfo) throws(MQTTError) {
    try assign(.batch(connection.takeMessages(), session), until: .now + limits.holdTimeout)
    connection.wasUseful = true
    try connection.flush()
  }

  /// Hands work over and waits until it is done. Without a deadline it takes as long as it takes.
  private func assign(_ work: Assignment.Work, until deadline: ContinuousClock.Instant?) throws(MQTTError) {
    assignmentNumber += 1
    outcome = nil
    assignments.yield(Assignment(number: assignmentNumber, work: work))
    attend()
    while outcome == nil {
      if isAborting { throw MQTTError(.closed, "The MQTT subscriber was cancelled.") }
      if let deadline, .now >= deadline { throw Self.heldTooLong(limits.holdTimeout) }
      _ = mailbox.pipe.wait(until: deadline ?? .now + .seconds(1))
      attend()
    }
    if case .some(.some(let error)) = outcome { throw error }
  }

  static func heldTooLong(_ timeout: Duration) -> MQTTError {
    MQTTError(.handler, "A batch of MQTT messages was not handled within \(timeout) and will come again.")
  }
}
