import Models
import NIOCore
import RedisClient
import ServiceLifecycle

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
      return RedisSubscription(
        configuration: configuration, eventLoop: eventLoop, receiver: receiver, logger: Connections.logger, home: Bus.home(ofChannel:))
    }.get()
  }

  func run() async throws {
    defer { following.end() }
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
