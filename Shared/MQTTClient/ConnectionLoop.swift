import Backoff
import Glibc
import Synchronization

/// What a client does with its connections, on its network thread.
protocol BrokerConversation: AnyObject {
  /// Reads the mail and whatever else is due. Called whenever the thread wakes, connected or not.
  func attend()
  var isStopping: Bool { get }
  /// When `attend` is wanted next without a letter.
  var nextDeadline: ContinuousClock.Instant? { get }
  func connectionChanged(_ event: MQTTConnectionEvent)
  /// Whether a first connection that cannot be made ends it all.
  var endsWithoutFirstConnection: Bool { get }
  /// What has to be done before each attempt to connect.
  func prepare() throws(MQTTError)
  func makeConnection() throws(MQTTError) -> MosquittoConnection
  /// Uses an accepted connection until asked to stop, which is when it returns.
  func serve(_ connection: MosquittoConnection, sessionPresent: Bool) throws(MQTTError)
}

extension BrokerConversation {
  var endsWithoutFirstConnection: Bool { true }
  func prepare() throws(MQTTError) {}
}

/// What is done about attempts to connect that fail.
///
/// A broker that is not there is asked again soon, however long it is away: it is restarted, devices are back at once, and so should be who hears them. One that is
/// there, and refuses or fails, is given more and more time.
private struct Outage {
  /// The same reason is not told again before.
  private static let silence = Duration.seconds(15)

  private var absence = Backoff(shortest: .milliseconds(50), longest: .milliseconds(250))
  private var refusal = Backoff(shortest: .milliseconds(100), longest: .seconds(15))
  private var told: (error: MQTTError, at: ContinuousClock.Instant)?

  mutating func pause(after error: MQTTError) -> Duration {
    [.unreachable, .unprepared].contains(error.code) ? absence.next() : refusal.next()
  }

  mutating func isNews(_ error: MQTTError, at now: ContinuousClock.Instant) -> Bool {
    if let told, told.error == error, told.at.duration(to: now) < Self.silence { return false }
    told = (error, now)
    return true
  }

  /// Whatever ends a connection is news.
  mutating func connected() { told = nil }
  /// The connection was of use.
  mutating func end() { refusal.reset() }
}

/// Connects again and again, for as long as its conversation wants to go on.
struct ConnectionLoop {
  let configuration: MQTTConfiguration
  let pipe: WakePipe

  /// - Returns: why the first connection failed for good; `nil` when the conversation has ended as asked.
  func run(_ conversation: some BrokerConversation) -> MQTTError? {
    var outage = Outage()
    var wasConnected = false
    let startBy = ContinuousClock.now + configuration.startTimeout
    while !conversation.isStopping {
      var connection: MosquittoConnection?
      let pause: Duration
      do throws(MQTTError) {
        try conversation.prepare()
        if conversation.isStopping { return nil }
        let new = try conversation.makeConnection()
        connection = new
        let sessionPresent = try open(new, conversation)
        if conversation.isStopping { return nil }
        wasConnected = true
        outage.connected()
        conversation.connectionChanged(.connected(sessionPresent: sessionPresent))
        try conversation.serve(new, sessionPresent: sessionPresent)
        return nil
      } catch {
        if connection?.wasUseful == true { outage.end() }
        // Before anything else, so that nothing withheld is ever written.
        connection = nil
        if conversation.isStopping { return nil }
        if outage.isNews(error, at: .now) { conversation.connectionChanged(.disconnected(error)) }
        if !wasConnected, conversation.endsWithoutFirstConnection, error.isPermanent || .now >= startBy { return error }
        pause = outage.pause(after: error)
      }
      rest(until: .now + pause, conversation)
    }
    return nil
  }

  /// Waits for CONNACK.
  /// - Returns: whether the broker still had a session of this client.
  private func open(_ connection: MosquittoConnection, _ conversation: some BrokerConversation) throws(MQTTError) -> Bool {
    pipe.isReaderBlocked.store(true, ordering: .sequentiallyConsistent)
    defer { pipe.isReaderBlocked.store(false, ordering: .sequentiallyConsistent) }
    conversation.attend()
    if conversation.isStopping { return false }
    try connection.connect()
    pipe.isReaderBlocked.store(false, ordering: .sequentiallyConsistent)
    let deadline = ContinuousClock.now + configuration.handshakeTimeout
    while connection.connectAnswer == nil {
      guard .now < deadline else {
        throw MQTTError(
          .unreachable,
          "The MQTT broker at \(configuration.address) accepted the connection but did not answer within \(configuration.handshakeTimeout)."
        )
      }
      conversation.attend()
      if conversation.isStopping { return false }
      if connection.wantsWrite { try connection.flush() }
      let until = min(deadline, conversation.nextDeadline ?? deadline)
      if pipe.wait(socket: connection.socket, for: connection.wantsWrite ? POLLIN | POLLOUT : POLLIN, until: until) {
        try connection.read()
      }
    }
    guard let answer = connection.connectAnswer, answer.reasonCode == 0 else {
      throw .refusedConnection(connection.connectAnswer?.reasonCode ?? 0, configuration)
    }
    return answer.sessionPresent
  }

  private func rest(until end: ContinuousClock.Instant, _ conversation: some BrokerConversation) {
    while true {
      conversation.attend()
      if conversation.isStopping || .now >= end { return }
      _ = pipe.wait(until: min(end, conversation.nextDeadline ?? end))
    }
  }
}
