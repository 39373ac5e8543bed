internal import WebSocketTransport

/// The reefnet document's endpoint, `/ws/reefnet`, for modules and UIs alike: what they prove themselves with tells which they are.
enum ReefnetDialect {
  /// Neither firmware nor the browsers' UIs need ping, so the server does, and what answers nothing three times is gone.
  private static let limits = WebSocketLimits(
    messageBytesMax: 16 * 1024, outboundBytesMax: 1024 * 1024, idleTimeout: .seconds(90), pingInterval: .seconds(30))

  /// None without accounts, which say what a module is and who may see it.
  static func endpoints(_ neighbours: Neighbours) -> [Endpoint] {
    guard let devices = neighbours.devices, let board = neighbours.board else { return [] }
    let lines = ReefnetLines(neighbours.logger)
    return [Endpoint(path: "/ws/reefnet", limits: limits) { ReefnetSession($0, devices: devices, board: board, lines: lines) }]
  }
}
