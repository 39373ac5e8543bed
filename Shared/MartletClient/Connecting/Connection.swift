/// What a connection does, as a pure state machine: (state, input) → (state, actions). No socket, no clock, no randomness inside.
struct Connection: Sendable {
  enum Input: Sendable {
    case start
    /// The server has said `connected`.
    case connected
    /// Anything came.
    case frame
    /// What should have been told at once was not.
    case doubted
    case ended(Closing, random: Double)
    /// There is no token to be had any more.
    case signedOut
    case polled
    case expiring
    case renewalFailed
    case fired(TimerName)
  }

  enum Action: Hashable, Sendable {
    /// - isRenewed: with a token in place of the one that was refused.
    case connect(isRenewed: Bool)
    case drop
    case ping
    /// Every appliance that is followed.
    case subscribe
    case renew
    case poll
    case set(TimerName, Duration)
    case cancel(TimerName)
    case become(ConnectionState)
    /// For good.
    case fail(MartletError)
  }

  /// Failures in a row after which the API is polled.
  private static let failuresUntilPolling = 3

  private(set) var state = ConnectionState.connecting
  private let hasAPI: Bool
  private var failures = 0
  /// Whether the next attempt, or the one under way, has a token that was made because another was refused.
  private var isRenewed = false
  /// Whether the pong under way is waited for only shortly.
  private var isDoubted = false

  /// - Parameter hasAPI: whether there is an API to poll.
  init(hasAPI: Bool) { self.hasAPI = hasAPI }

  mutating func handle(_ input: Input) -> [Action] {
    guard state != .closed else { return [] }
    switch input {
    case .start: return connect()
    case .connected: return connected()
    case .frame: return heard()
    case .doubted: return doubt()
    case .ended(let closing, let random): return ended(closing, random)
    case .signedOut: return close(MartletError(.signedOut, SignedOut().description))
    case .polled: return state == .polling ? [.set(.poll, .milliseconds(1500))] : []
    case .expiring: return state == .websocket ? [.renew] : []
    case .renewalFailed: return state == .websocket ? [.set(.renew, .seconds(10))] : []
    case .fired(let timer): return fired(timer)
    }
  }

  /// Nobody wants it any more.
  mutating func end() -> [Action] { become(.closed) }

  private func connect() -> [Action] { [.connect(isRenewed: isRenewed), .set(.open, .seconds(10))] }

  private mutating func connected() -> [Action] {
    failures = 0
    (isRenewed, isDoubted) = (false, false)
    return [.cancel(.open), .cancel(.poll), Self.nextPing] + become(.websocket) + [.subscribe]
  }

  private mutating func heard() -> [Action] {
    isDoubted = false
    return state == .websocket ? [.cancel(.pong)] : []
  }

  /// Further doubts do not prolong the wait.
  private mutating func doubt() -> [Action] {
    guard state == .websocket, !isDoubted else { return [] }
    isDoubted = true
    return [.ping, .set(.pong, .seconds(2))]
  }

  private mutating func ended(_ closing: Closing, _ random: Double) -> [Action] {
    switch closing.verdict {
    case .staysAway: return close(MartletError(.refused, "The server closed the connection with \(closing.code): \(closing.reason)"))
    case .needsToken where isRenewed: return close(MartletError(.signedOut, "\(closing.reason): sign in again."))
    case .needsToken: isRenewed = true
    case .comesBack, .comesBackLater: break
    }
    failures += 1
    let wait = ReconnectSchedule.wait(beforeAttempt: failures, random: random, isLater: closing.verdict == .comesBackLater)
    return Self.stopped + fallBack() + [.set(.retry, wait)]
  }

  private mutating func fallBack() -> [Action] {
    if state == .polling { return [] }
    guard hasAPI, failures >= Self.failuresUntilPolling else { return become(.connecting) }
    return become(.polling) + [.poll]
  }

  private func fired(_ timer: TimerName) -> [Action] {
    switch timer {
    case .retry: connect()
    // The socket's own end follows.
    case .open, .pong: [.drop]
    case .ping: [.ping] + (isDoubted ? [] : [.set(.pong, .seconds(10))]) + [Self.nextPing]
    case .poll: state == .polling ? [.poll] : []
    case .renew: state == .websocket ? [.renew] : []
    case .subscribe, .outcome, .look, .word, .again: []
    }
  }

  private mutating func close(_ error: MartletError) -> [Action] {
    Self.stopped + [.cancel(.retry), .cancel(.poll), .drop] + become(.closed) + [.fail(error)]
  }

  private mutating func become(_ next: ConnectionState) -> [Action] {
    if state == next { return [] }
    state = next
    return [.become(next)]
  }

  /// Half of what the server lets pass without a frame, less a bit.
  private static let nextPing = Action.set(.ping, .seconds(25))
  /// The timers of a live socket.
  private static let stopped: [Action] = [.cancel(.open), .cancel(.ping), .cancel(.pong), .cancel(.renew)]
}
