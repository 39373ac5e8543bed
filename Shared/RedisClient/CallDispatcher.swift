import NIOCore

/// Writes calls to the connection of the moment and hands out the replies. Confined to one event loop; `CallQueue` decides.
final class CallDispatcher {
  typealias Promise = EventLoopPromise<[Result<RESPValue, RedisError>]>

  private let address: RedisAddress
  private let eventLoop: any EventLoop
  private let waitsForConnection: Bool
  private var queue: CallQueue<Promise>
  private var channel: (any Channel)?
  private var isFlushScheduled = false
  private var isShutDown = false
  private var timer: Scheduled<Void>?
  private var timerDeadline: NIODeadline?
  /// Why there is no connection, for those who wait for one in vain.
  private var lastFailure: RedisError?

  /// - Parameter waitsForConnection: whether calls wait on while no connection comes about; if not, they fail as soon as an attempt has failed.
  init(configuration: RedisConfiguration, eventLoop: any EventLoop, waitsForConnection: Bool) {
    address = configuration.address
    self.eventLoop = eventLoop
    self.waitsForConnection = waitsForConnection
    queue = CallQueue(limits: configuration.limits, silenceMax: TimeAmount(configuration.callTimeout))
  }

  func submit(_ call: CallQueue<Promise>.Call) {
    guard !isShutDown else {
      call.token?.fail(closed)
      return
    }
    if channel == nil, !waitsForConnection, let lastFailure {
      call.token?.fail(lastFailure)
      return
    }
    guard queue.append(call) else {
      call.token?.fail(RedisError(.overloaded, "too many calls are waiting for Redis at \(address); this one was not sent"))
      return
    }
    schedule(call.deadline)
    guard channel != nil, !isFlushScheduled else { return }
    // Everything that is submitted in this tick leaves in one write.
    isFlushScheduled = true
    eventLoop.assumeIsolated().execute { self.sendWaiting() }
  }

  func cancel(id: UInt64) { queue.cancel(id: id)?.fail(CancellationError()) }

  func failedToConnect(_ failure: RedisError) {
    lastFailure = failure
    if !waitsForConnection { for promise in queue.removeUnsent() { promise.fail(failure) } }
  }

  func connected(_ channel: any Channel) {
    self.channel = channel
    lastFailure = nil
    sendWaiting()
  }

  func received(_ reply: RESPValue, now: NIODeadline) throws(RedisError) {
    switch queue.received(reply, now: now) {
    case .finished(let promise, let replies): promise.succeed(replies)
    case .needsMore, .discarded: break
    case .unexpected: throw RedisError(.protocolViolation, "Redis at \(address) sent a reply that nobody asked for")
    }
  }

  func disconnected(_ channel: any Channel, reason: RedisError?) {
    guard self.channel === channel else { return }
    self.channel = nil
    for promise in queue.removeSent() { promise.fail(reason ?? closed) }
  }

  func shutDown() {
    isShutDown = true
    timer?.cancel()
    channel?.close(promise: nil)
    channel = nil
    for promise in queue.removeAll() { promise.fail(closed) }
  }

  private var closed: RedisError { RedisError(.closed, "the connection to Redis at \(address) was closed before it answered") }

  private func sendWaiting() {
    isFlushScheduled = false
    guard let channel else { return }
    let now = NIODeadline.now()
    while let request = queue.nextRequest(now: now) { channel.write(request, promise: nil) }
    channel.flush()
  }

  private func schedule(_ deadline: NIODeadline) {
    if let timerDeadline, timerDeadline <= deadline { return }
    timer?.cancel()
    timerDeadline = deadline
    timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.deadlineReached() }
  }

  private func deadlineReached() {
    timerDeadline = nil
    let expiry = queue.expire(now: .now())
    let unsent = lastFailure ?? RedisError(.unreachable, "there is no connection to Redis at \(address)")
    for promise in expiry.unsent { promise.fail(unsent) }
    for promise in expiry.unanswered {
      promise.fail(RedisError(.timeout, "Redis at \(address) did not answer in time; it may have done what was asked"))
    }
    if expiry.isConnectionDead { channel?.close(promise: nil) }
    if let next = queue.nextDeadline { schedule(max(next, .now() + .milliseconds(1))) }
  }
}
