import Models
import NIOCore
import NIOWebSocket
import ServiceLifecycle

/// One WebSocket of a simulated camera to the broker, from its hello to its end.
struct CameraConnection: Sendable {
  enum Ending: Hashable, Sendable {
    /// This program is to stop.
    case stopped
    /// The broker does not want this camera (1008).
    case refused(String)
    /// - Parameter wasWelcome: the broker had let it in.
    case lost(String, wasWelcome: Bool)
  }

  /// Half of what the broker waits for.
  private static let heartbeatPeriod = Duration.seconds(30)

  let socket: DeviceSocket
  let play: CameraPlay
  let say: @Sendable (String) -> Void

  func run() async -> Ending {
    let welcome = ConnectionFlag()
    do {
      guard let channel = try await socket.connect() else { return .lost(socket.refusal, wasWelcome: false) }
      return try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(DeviceSocket.text(play.hello(now: .now())))
        return try await attend(inbound, outbound, welcome)
      }
    } catch {
      return .lost(String(describing: error), wasWelcome: welcome.lower())
    }
  }

  private func attend(
    _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
    _ welcome: ConnectionFlag
  ) async throws -> Ending {
    let heard = ConnectionFlag()
    return try await withThrowingTaskGroup(of: Ending.self) { group in
      group.addTask {
        try await gracefulShutdown()
        return .stopped
      }
      group.addTask { try await beat(outbound, heard) }
      group.addTask { try await answer(inbound, outbound, heard, welcome) }
      defer { group.cancelAll() }
      let ending = try await group.next() ?? .stopped
      if ending == .stopped {
        // A camera that says goodbye ends its sessions at once. The answer to it is the end; how long it may take is the service group's.
        try await outbound.write(DeviceSocket.goodbye)
        _ = try await group.next()
      }
      return ending
    }
  }

  private func beat(_ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>, _ heard: ConnectionFlag) async throws -> Ending {
    while true {
      try await Task.sleep(for: Self.heartbeatPeriod)
      guard heard.lower() else { return .lost("the broker is silent", wasWelcome: true) }
      try await outbound.write(DeviceSocket.text(play.heartbeat(now: .now())))
    }
  }

  private func answer(
    _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
    _ heard: ConnectionFlag, _ welcome: ConnectionFlag
  ) async throws -> Ending {
    for try await frame in inbound {
      heard.raise()
      var data = frame.unmaskedData
      switch frame.opcode {
      case .text:
        let step = play.hear(Array(data.readableBytesView), now: .now())
        if step.isWelcome { welcome.raise() }
        for frame in step.frames { try await outbound.write(DeviceSocket.text(frame)) }
        step.line.map(say)
      case .ping: try await outbound.write(DeviceSocket.pong(data))
      case .connectionClose:
        let code = data.readInteger(as: UInt16.self) ?? 1005
        let reason = "\(code) \(String(decoding: data.readableBytesView, as: UTF8.self))"
        return code == 1008 ? .refused(reason) : .lost("closed with \(reason)", wasWelcome: welcome.lower())
      default: break
      }
    }
    return .lost("the connection broke", wasWelcome: welcome.lower())
  }
}
