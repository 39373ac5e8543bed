import Models
import NIOCore
import RedisClient
import ServiceLifecycle
import Synchronization

/// Follows appliances on Redis and writes what they tell to standard output.
struct LiveTail: Service {
  /// Which appliances to follow, asked at the start and after each change of the accounts.
  typealias Appliances = @Sendable () async throws -> Set<ApplianceID>

  let subscription: RedisSubscription
  private let appliances: Appliances
  private let signals: AsyncStream<TailReceiver.Signal>
  private let following = Following()

  init(_ configuration: RedisConfiguration, appliances: @escaping Appliances, style: EventLine.Style) async throws {
    let (signals, signal) = AsyncStream.makeStream(of: TailReceiver.Signal.self, bufferingPolicy: .bufferingNewest(2))
    let eventLoop = Connections.eventLoop
    self.signals = signals
    self.appliances = appliances
    self.subscription = try await eventLoop.submit { [following] in
      let receiver = TailReceiver(style: style, signal: signal, following: following)
      return RedisSubscription(configuration: configuration, eventLoop: eventLoop, receiver: receiver, logger: Connections.logger)
    }.get()
  }

  func run() async throws {
    var followed: Set<String> = []
    subscription.subscribe(Bus.changes)
    for await signal in signals.cancelOnGracefulShutdown() {
      guard signal == .mayHaveChanged else { return }
      let wanted = Set(try await appliances().map(Bus.live))
      following.want(wanted)
      for channel in wanted.subtracting(followed) { subscription.subscribe(channel) }
      for channel in followed.subtracting(wanted) { subscription.unsubscribe(channel) }
      followed = wanted
    }
  }
}

/// Says on standard error what is followed, each time that the server has confirmed all of it.
final class Following: Sendable {
  private struct State {
    var wanted: Set<String>?
    var confirmed: Set<String> = []
    var isTold = false
  }

  private let state = Mutex(State())

  /// The channels that are to be followed from now on.
  func want(_ channels: Set<String>) {
    change { state in
      if state.wanted != channels { state.isTold = false }
      state.wanted = channels
      state.confirmed.formIntersection(channels)
    }
  }

  func confirm(_ channel: String) { change { $0.confirmed.insert(channel) } }

  /// The connection is gone, and every confirmation with it.
  func lose() {
    change { state in
      state.confirmed = []
      state.isTold = false
    }
  }

  private func change(_ body: (inout State) -> Void) {
    let sentence: String? = state.withLock { state in
      body(&state)
      guard let wanted = state.wanted, !state.isTold, state.confirmed.isSuperset(of: wanted) else { return nil }
      state.isTold = true
      let one = wanted.count == 1 ? wanted.first?.dropFirst(Bus.livePrefix.count) : nil
      return "following \(one.map(String.init) ?? "\(wanted.count) appliances"); stop with Ctrl-C"
    }
    if let sentence { Console.complain(sentence) }
  }
}

/// Hears the messages on the subscription's event loop.
final class TailReceiver: RedisSubscriptionReceiver {
  enum Signal: Sendable {
    /// The accounts have changed, or a message that said so may have been missed.
    case mayHaveChanged
    /// Nobody reads what is written.
    case readerLeft
  }

  private let style: EventLine.Style
  private let signal: AsyncStream<Signal>.Continuation
  private let following: Following
  private var pending: [UInt8] = []

  init(style: EventLine.Style, signal: AsyncStream<Signal>.Continuation, following: Following) {
    self.style = style
    self.signal = signal
    self.following = following
  }

  func subscribed(channel: String) {
    if channel == Bus.changes { signal.yield(.mayHaveChanged) } else { following.confirm(channel) }
  }

  func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    if channel.elementsEqual(Bus.changes.utf8) {
      signal.yield(.mayHaveChanged)
    } else {
      pending += EventLine.line(Array(payload), style)
    }
  }

  func readCompleted() {
    guard !pending.isEmpty else { return }
    if !Console.write(pending) { signal.yield(.readerLeft) }
    pending.removeAll(keepingCapacity: true)
  }

  func disconnected() {
    following.lose()
    Console.complain("martletctl: the connection to Redis is lost: events until it is back are not shown")
  }
}
