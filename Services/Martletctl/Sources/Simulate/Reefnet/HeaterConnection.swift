import Backoff
import MQTTClient
import Models
import NIOCore
import NIOWebSocket
import ServiceLifecycle
import Synchronization

/// A simulated heater on the gateway's WebSocket: its frames as they would go to the broker, and control frames to it. Connects again whenever the connection is lost, until it is to stop or the
/// gateway does not want it.
final class HeaterConnection: Service {
  private enum Ending: Hashable, Sendable {
    case stopped
    /// The gateway does not want this heater (1008).
    case refused(String)
    case lost(String)
  }

  /// The gateway pings every 30 seconds: one that is silent for so long is gone.
  private static let silenceMax = Duration.seconds(90)

  private let socket: DeviceSocket
  private let heater: Mutex<SimulatedHeater>
  private let interval: Duration
  private let simulatedSeconds: Double

  /// - Parameters:
  ///   - interval: real time between two statuses, in seconds.
  ///   - speed: how many times faster the heater's world is.
  init(_ heater: SimulatedHeater, socket: DeviceSocket, interval: Double, speed: Double) {
    self.heater = Mutex(heater)
    self.socket = socket
    self.interval = .seconds(interval)
    simulatedSeconds = interval * speed
  }

  func run() async throws {
    var backoff = Backoff(shortest: .seconds(1), longest: .seconds(30))
    while !Task.isCancelled, !Task.isShuttingDownGracefully {
      let start = ContinuousClock.now
      switch await connect() {
      case .stopped: return
      case .refused(let reason): throw CommandError("The gateway refused the heater: \(reason).")
      case .lost(let reason):
        if ContinuousClock.now - start > .seconds(30) { backoff.reset() }
        Console.say(EventLine.visible("\(reason); trying again"))
        let wait = backoff.next()
        do { try await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) } } catch { return }
      }
    }
  }

  private func connect() async -> Ending {
    do {
      guard let channel = try await socket.connect() else { return .lost(socket.refusal) }
      return try await channel.executeThenClose { inbound, outbound in
        let heard = ConnectionFlag()
        return try await withThrowingTaskGroup(of: Ending.self) { group in
          group.addTask {
            try await gracefulShutdown()
            return .stopped
          }
          group.addTask { try await self.live(outbound) }
          group.addTask { try await self.listen(inbound, outbound, heard) }
          group.addTask {
            repeat { try await Task.sleep(for: Self.silenceMax) } while heard.lower()
            return .lost("the gateway is silent")
          }
          defer { group.cancelAll() }
          let ending = try await group.next() ?? .stopped
          if ending == .stopped { try await outbound.write(DeviceSocket.goodbye) }
          return ending
        }
      }
    } catch {
      return .lost(String(describing: error))
    }
  }

  /// Its first word, and what every step of time brings.
  private func live(_ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws -> Ending {
    try await say(heater.withLock { $0.powerOn(at: .now()) }, outbound)
    while true {
      try await Task.sleep(for: interval)
      let step = SimulatedStep(simulatedSeconds: simulatedSeconds, now: .now())
      try await say(heater.withLock { $0.advance(step) }, outbound)
    }
  }

  private func listen(
    _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
    _ heard: ConnectionFlag
  ) async throws -> Ending {
    for try await frame in inbound {
      heard.raise()
      var data = frame.unmaskedData
      switch frame.opcode {
      case .text:
        let text = Array(data.readableBytesView)
        Console.say(EventLine.visible("told \(String(decoding: text, as: UTF8.self))"))
        try await say(heater.withLock { $0.hear(MQTTMessage(topic: "", payload: text), at: .now()) }, outbound)
      case .ping: try await outbound.write(DeviceSocket.pong(data))
      case .connectionClose:
        let code = data.readInteger(as: UInt16.self) ?? 1005
        let reason = "\(code) \(String(decoding: data.readableBytesView, as: UTF8.self))"
        return code == 1008 ? .refused(reason) : .lost("closed with \(reason)")
      default: break
      }
    }
    return .lost("the connection broke")
  }

  private func say(_ words: [MQTTPublication], _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws {
    for word in words {
      try await outbound.write(DeviceSocket.text(word.payload))
      Console.say(String(decoding: word.payload, as: UTF8.self))
    }
  }
}
