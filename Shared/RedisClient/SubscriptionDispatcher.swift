import Logging
import NIOCore

/// Keeps the server's channels equal to the wanted ones, watches for a dead peer, and tells the receiver. Confined to one event loop;
/// `SubscriptionTable` decides.
final class SubscriptionDispatcher {
  private let configuration: RedisConfiguration
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let receiver: any RedisSubscriptionReceiver
  private var table = SubscriptionTable()
  private var channel: (any Channel)?
  private var isFlushScheduled = false
  private var heartbeat: Scheduled<Void>?
  private var hasHeard = false

  init(configuration: RedisConfiguration, eventLoop: any EventLoop, receiver: any RedisSubscriptionReceiver, logger: Logger) {
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.receiver = receiver
    self.logger = logger
  }

  func subscribe(_ name: String) { if table.subscribe(name) { scheduleFlush() } }
  func unsubscribe(_ name: String) { if table.unsubscribe(name) { scheduleFlush() } }

  func confirmAnew() {
    table.confirmAnew()
    scheduleFlush()
  }

  var isConnected: Bool { channel != nil }

  /// Everything that is asked for in this tick leaves in one write.
  private func scheduleFlush() {
    guard channel != nil, !isFlushScheduled else { return }
    isFlushScheduled = true
    eventLoop.assumeIsolated().execute {
      self.isFlushScheduled = false
      self.write(self.table.takeCommands())
    }
  }

  private func write(_ commands: [RedisCommand]) {
    guard let channel, !commands.isEmpty else { return }
    var request = channel.allocator.buffer(capacity: commands.reduce(0) { $0 + $1.byteCount + 16 })
    for command in commands { command.encode(into: &request) }
    channel.writeAndFlush(request, promise: nil)
  }

  func connected(_ channel: any Channel) {
    self.channel = channel
    table.connected()
    write(table.takeCommands())
    scheduleHeartbeat()
  }

  /// An idle subscription looks like a dead one, so the server is asked for a sign of life.
  private func scheduleHeartbeat() {
    heartbeat = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.pingInterval)) {
      self.hasHeard = false
      self.write([RedisCommand("PING")])
      self.heartbeat = self.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.configuration.callTimeout)) {
        if self.hasHeard { return self.scheduleHeartbeat() }
        self.logger.warning("Redis is silent; the subscription connects again", metadata: ["address": "\(self.configuration.address)"])
        self.channel?.close(promise: nil)
      }
    }
  }

  func heard() { hasHeard = true }

  func message(_ name: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) { receiver.message(channel: name, payload: payload) }

  func signal(_ signal: PushDecoder.Signal) {
    switch signal {
    case .subscribed(let name):
      if table.confirmed(name) { receiver.subscribed(channel: name) }
    case .unsubscribed(let name): _ = table.confirmed(name)
    case .pong: break
    case .error(let error):
      // One refused channel refuses its whole batch, so nothing is known any more.
      logger.error("Redis refused a subscription: \(error.message)", metadata: ["address": "\(configuration.address)"])
      channel?.close(promise: nil)
    }
  }

  func readCompleted() { receiver.readCompleted() }

  func disconnected(_ channel: any Channel) {
    guard self.channel === channel else { return }
    self.channel = nil
    heartbeat?.cancel()
    receiver.disconnected()
  }
}
