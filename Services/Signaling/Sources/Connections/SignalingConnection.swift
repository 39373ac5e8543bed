internal import Models
internal import NIOCore
internal import WebSocketTransport

/// One client's connection: takes its frames to its desk, one after the other and off the loop, and carries out what the desk replies. Confined to
/// its event loop.
final class SignalingConnection: WebSocketSession {
  struct Limits: Sendable {
    var helloTimeout = Duration.seconds(10)
    var messageBurst = 200
    var messagesPerSecond = 50.0
    /// How long before its token's end a client is told.
    var expiryNotice = Duration.seconds(60)
    /// How often the client's place is refreshed, and what waits is looked for without a ring.
    var refreshPeriod = Duration.seconds(25)
    /// How long what goes past the bounds of `Delivery` waits for a pong.
    var receiptTimeout = Duration.seconds(5)
  }

  private let connection: WebSocketConnection
  private let roster: Roster
  private let desk: any Desk
  private let number: UInt64
  private let limits: Limits
  private let begun = Timestamp.now()
  private var queue = ConnectionQueue()
  private var isBusy = false
  /// When the client was asked for the pong that it owes.
  private var askedAt: Timestamp?
  private var isOverdue = false
  /// Whether its pong came since what waits for it was last looked for.
  private var hasReceipt = false
  private var messages: TokenBucket
  private var mistakes = ErrorBudget()
  private var isIntroduced = false
  private var tokenEnd: Timestamp?
  private var isExpiryTold = false
  private var refreshed = Timestamp.now()
  /// We sent it away for good.
  private var isDismissed = false

  init(_ connection: WebSocketConnection, number: UInt64, roster: Roster, desk: any Desk, limits: Limits) {
    (self.connection, self.number, self.roster, self.desk, self.limits) = (connection, number, roster, desk, limits)
    messages = TokenBucket(burst: limits.messageBurst, perSecond: limits.messagesPerSecond)
    roster.add(self, number)
  }

  // MARK: Input

  func received(_ text: [UInt8]) {
    // A flood is answered without being read, and soon ends the connection.
    guard messages.spend(at: .now()), queue.append(text) else { return perform(.refuse("Too many messages", nil)) }
    work()
  }

  func becameWritable() {}

  func ponged(_ payload: [UInt8]) {
    guard askedAt != nil, payload == Self.receipt else { return }
    (askedAt, isOverdue, hasReceipt) = (nil, false, true)
    queue.receipt()
    work()
  }

  func closed(_ code: WebSocketCloseCode) {
    roster.remove(number)
    queue.closed(inGoodOrder: isDismissed || code == .normal)
    work()
  }

  func ring() {
    queue.ring()
    work()
  }

  func takePlaceAnew() {
    queue.takePlaceAnew()
    work()
  }

  func accessChanged(_ change: AccessChange) {
    queue.accessChanged(change)
    work()
  }

  /// About once a second.
  func tick(_ now: Timestamp) {
    guard connection.isOpen else { return }
    queue.tryAgain()
    work()
    if !isIntroduced {
      if now - begun > limits.helloTimeout { perform(.close(.policyViolation, "Authentication required")) }
      return
    }
    if let askedAt, !isOverdue, now - askedAt > limits.receiptTimeout {
      isOverdue = true
      queue.receiptOverdue()
      work()
    }
    // Receipts of a second are dropped together.
    if hasReceipt || now - refreshed > limits.refreshPeriod {
      (refreshed, hasReceipt) = (now, false)
      ring()
    }
    guard let tokenEnd else { return }
    if now >= tokenEnd {
      perform(.close(.policyViolation, "Invalid or expired token"))
    } else if !isExpiryTold, tokenEnd - now <= limits.expiryNotice {
      isExpiryTold = true
      perform(.send(.tokenExpiring(tokenEnd)))
    }
  }

  // MARK: Work

  private func work() {
    guard !isBusy, let work = queue.next() else { return }
    isBusy = true
    let (desk, metrics, eventLoop, here) = (desk, roster.metrics, roster.eventLoop, NIOLoopBound(self, eventLoop: roster.eventLoop))
    let isTaken = roster.jobs.submit {
      let replies = await Self.replies(to: work, desk, metrics)
      eventLoop.execute { here.value.finished(work, replies) }
    }
    if !isTaken {
      isBusy = false
      perform(.close(.tryAgainLater, "The server is overloaded"))
    }
  }

  /// Nil when it could not be done. What waits for the client waits on: the next ring or refresh comes for it.
  private static func replies(to work: ConnectionQueue.Work, _ desk: any Desk, _ metrics: SignalingMetrics) async -> [DeskReply]? {
    do {
      switch work {
      case .frame(let text): return await replies(to: text, desk, metrics)
      case .collect: return try await desk.collect()
      case .receipt: return try await desk.receipt()
      case .receiptOverdue: return try await desk.receiptOverdue()
      case .takePlaceAnew: return try await desk.takePlaceAnew()
      case .accessChanged(let change): return try await desk.accessChanged(change)
      case .closed(let inGoodOrder):
        await desk.closed(inGoodOrder: inGoodOrder)
        return []
      }
    } catch {
      metrics.failed()
      return nil
    }
  }

  private static func replies(to text: [UInt8], _ desk: any Desk, _ metrics: SignalingMetrics) async -> [DeskReply] {
    do throws(SignalingRejection) {
      let request = try SignalingRequest(parsing: text)
      do {
        return try await desk.received(request)
      } catch {
        metrics.failed()
        return [.fail(SignalingRejection(Unavailability.message, requestID: request.requestID))]
      }
    } catch {
      return [.refuse(error)]
    }
  }

  private func finished(_ work: ConnectionQueue.Work, _ replies: [DeskReply]?) {
    isBusy = false
    if replies == nil { queue.failed(work) }
    for reply in replies ?? [] { perform(reply) }
    self.work()
  }

  private func perform(_ reply: DeskReply) {
    guard connection.isOpen else { return }
    switch reply {
    case .send(let text): connection.send(text: text)
    case .askReceipt:
      askedAt = .now()
      connection.ping(Self.receipt)
    case .takePlaceAnew: queue.takePlaceAnew()
    case .refuse(let rejection):
      roster.metrics.refused()
      guard mistakes.spend(at: .now()) else { return perform(.close(.policyViolation, "Too many errors")) }
      connection.send(text: Self.error(rejection))
    case .fail(let rejection): connection.send(text: Self.error(rejection))
    case .introduced(let end):
      (isIntroduced, tokenEnd, isExpiryTold) = (true, end, false)
    case .close(let code, let reason):
      isDismissed = code == .policyViolation
      queue.dropFrames()
      connection.close(code, reason: reason)
    }
  }

  /// What the ping and its pong carry.
  private static let receipt = Array("receipt".utf8)

  private static func error(_ rejection: SignalingRejection) -> [UInt8] {
    SignalingServerMessage.error(rejection.message).encoded(at: .now(), requestID: rejection.requestID)
  }
}
