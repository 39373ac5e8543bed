internal import WebSocketTransport

/// The WebMACS document's two endpoints.
enum WebMACSDialect {
  /// Apps need not ping ("optional"), so the server does, and a client that answers nothing three times is gone.
  private static let pingInterval = Duration.seconds(30)
  private static let idleTimeout = Duration.seconds(90)
  /// A batch of 500 (SPEC, section 2).
  private static let batchBytesMax = 256 * 1024

  /// None without accounts, which say who a controller is and what it measures.
  static func endpoints(_ devices: Devices?) -> [Endpoint] {
    guard let devices else { return [] }
    return [
      Endpoint(path: "/ws/controller/telemetry", limits: limits(messageBytesMax: batchBytesMax)) {
        ControllerSession($0, devices: devices)
      },
      Endpoint(path: "/ws/datapoints/stream", limits: limits(messageBytesMax: 16 * 1024)) { StreamSession($0) },
    ]
  }

  private static func limits(messageBytesMax: Int) -> WebSocketLimits {
    WebSocketLimits(
      messageBytesMax: messageBytesMax, outboundBytesMax: 1024 * 1024, idleTimeout: idleTimeout, pingInterval: pingInterval)
  }
}
