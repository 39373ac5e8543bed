import Glibc

/// What a publisher does on its network thread. Every call it has taken is answered exactly once.
final class PublisherLoop: BrokerConversation {
  struct Call: Sendable {
    let id: Int
    let publication: MQTTPublication
    let deadline: ContinuousClock.Instant
    let waitsForConnection: Bool
    let answer: CheckedContinuation<MQTTAcknowledgement, any Error>
  }

  enum Letter: Sendable {
    case publish(Call)
    case cancel(id: Int)
    /// Finish what is in flight, then say goodbye.
    case stop
    /// Drop everything.
    case abort
  }

  static let closedError = MQTTError(.closed, "The MQTT publisher is shut down.")

  private let configuration: MQTTConfiguration
  private let mailbox: Mailbox<Letter>
  private let tell: (MQTTConnectionEvent) -> Void
  private(set) var isStopping = false
  private var isAborting = false
  private var isServing = false
  /// Calls that no connection has taken yet, oldest first.
  private var waiting: [Call] = []
  /// Calls that await the broker, by packet identifier.
  private var inFlight: [Int32: Call] = [:]
  /// No deadline is earlier than this.
  private(set) var nextDeadline: ContinuousClock.Instant?

  init(_ configuration: MQTTConfiguration, mailbox: Mailbox<Letter>, tell: @escaping (MQTTConnectionEvent) -> Void) {
    self.configuration = configuration
    self.mailbox = mailbox
    self.tell = tell
  }

  func connectionChanged(_ event: MQTTConnectionEvent) { tell(event) }

  func makeConnection() throws(MQTTError) -> MosquittoConnection {
    try MosquittoConnection(configuration, cleanStart: true, sessionToken: 1, payloadBytesMax: 0)
  }

  // MARK: Mail and deadlines

  func attend() {
    for letter in mailbox.takeAll() {
      switch letter {
      case .publish(let call):
        waiting.append(call)
        nextDeadline = min(call.deadline, nextDeadline ?? call.deadline)
      case .cancel(let id): drop(throwing: CancellationError()) { $0.id == id }
      case .stop: isStopping = true
      case .abort: (isStopping, isAborting) = (true, true)
      }
    }
    expire(at: .now)
    if !isServing, waiting.contains(where: { !$0.waitsForConnection }) {
      let message = "A message was not sent: there is no connection to the MQTT broker at \(configuration.address) now."
      drop(throwing: MQTTError(.unreachable, message)) { !$0.waitsForConnection }
    }
  }

  private func expire(at now: ContinuousClock.Instant) {
    guard let nextDeadline, nextDeadline <= now else { return }
    let address = configuration.address
    for (packetID, call) in inFlight where call.deadline <= now {
      inFlight[packetID] = nil
      let message = "The MQTT broker at \(address) did not acknowledge a message in time; it may have taken it."
      call.answer.resume(throwing: MQTTError(.timeout, message))
    }
    drop(throwing: MQTTError(.timeout, "A message was not sent: there was no connection to the MQTT broker at \(address) in time.")) {
      $0.deadline <= now
    }
    self.nextDeadline = (waiting.lazy.map(\.deadline) + inFlight.values.lazy.map(\.deadline)).min()
  }

  /// Answers calls that match, wherever they are. A late acknowledgement of one finds nobody and is ignored.
  private func drop(throwing error: any Error, _ matches: (Call) -> Bool) {
    for (packetID, call) in inFlight where matches(call) {
      inFlight[packetID] = nil
      call.answer.resume(throwing: error)
    }
    waiting.removeAll { call in
      guard matches(call) else { return false }
      call.answer.resume(throwing: error)
      return true
    }
  }

  /// Answers every call and refuses further ones.
  func close(_ failure: MQTTError?) {
    for case .publish(let call) in mailbox.close() { waiting.append(call) }
    drop(throwing: failure ?? Self.closedError) { _ in true }
  }

  // MARK: On a connection

  func serve(_ connection: MosquittoConnection, sessionPresent: Bool) throws(MQTTError) {
    isServing = true
    defer { isServing = false }
    do throws(MQTTError) {
      try exchange(connection)
    } catch {
      settle(connection)
      let lost = MQTTError(.connectionLost, "A message is lost or delivered, nobody knows: \(error.message)", reasonCode: error.reasonCode)
      for call in inFlight.values { call.answer.resume(throwing: lost) }
      inFlight = [:]
      throw error
    }
  }

  private func exchange(_ connection: MosquittoConnection) throws(MQTTError) {
    while true {
      attend()
      if isAborting { throw Self.closedError }
      if isStopping, waiting.isEmpty, inFlight.isEmpty { return try connection.disconnect() }
      try send(connection)
      try connection.tick()
      if connection.wantsWrite { try connection.flush() }
      settle(connection)
      let tick = ContinuousClock.now + .seconds(1)
      let events = connection.wantsWrite ? POLLIN | POLLOUT : POLLIN
      // At QoS 0 the flush above has already answered: look at the mail before sleeping.
      let until = isStopping && waiting.isEmpty && inFlight.isEmpty ? .now : min(tick, nextDeadline ?? tick)
      guard mailbox.pipe.wait(socket: connection.socket, for: events, until: until) else { continue }
      var before = -1
      while connection.progress != before {
        before = connection.progress
        try connection.read()
      }
      settle(connection)
    }
  }

  private func send(_ connection: MosquittoConnection) throws(MQTTError) {
    var sent = 0
    defer { waiting.removeFirst(sent) }
    for call in waiting {
      sent += 1
      do throws(MQTTError) {
        inFlight[try connection.publish(call.publication)] = call
      } catch {
        call.answer.resume(throwing: error)
        guard error.code == .invalidMessage else { throw error }
      }
    }
  }

  private func settle(_ connection: MosquittoConnection) {
    for case .publishAnswered(let packetID, let code) in connection.takeNotices() {
      connection.wasUseful = true
      guard let call = inFlight.removeValue(forKey: packetID) else { continue }
      if code >= 0x80 {
        call.answer.resume(throwing: MQTTError.refusedPublish(code, configuration))
      } else {
        call.answer.resume(returning: MQTTAcknowledgement(reasonCode: code))
      }
    }
  }
}
