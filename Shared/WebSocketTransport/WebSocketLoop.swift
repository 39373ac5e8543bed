internal import NIOCore

/// The connections of one event loop, and what they share: a coarse clock, one timer, plain counters. Confined to that loop.
final class WebSocketLoop {
  let index: Int
  let eventLoop: any EventLoop
  let configuration: WebSocketServerConfiguration
  let routes: [WebSocketRoute]
  let paths: [String]
  let admission: Admission
  let drainRefusal: HandshakeRefusal

  /// The clock as of the last sweep.
  private(set) var now = NIODeadline.now()
  private(set) var isDraining = false
  var statistics = WebSocketStatistics()

  private var connections: [WebSocketConnection] = []
  private var emptied: EventLoopPromise<Void>?
  private var isStopped = false

  init(index: Int, eventLoop: any EventLoop, configuration: WebSocketServerConfiguration, routes: [WebSocketRoute], admission: Admission) {
    self.index = index
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.routes = routes
    self.admission = admission
    paths = routes.map(\.path)
    drainRefusal = .unavailable("The server shuts down", retryAfterSeconds: configuration.retryAfterSeconds)
    scheduleSweep()
  }

  // MARK: Connections

  func add(_ connection: WebSocketConnection) {
    connection.slot = connections.count
    connections.append(connection)
  }

  func remove(_ connection: WebSocketConnection) {
    let slot = connection.slot
    guard slot >= 0, slot < connections.count else { return }
    connections.swapAt(slot, connections.count - 1)
    connections[slot].slot = slot
    connections.removeLast()
    connection.slot = -1
    if connection.phase == .handshaking { leftHandshake() }
    admission.leave()
    if connections.isEmpty { tellEmptied() }
  }

  private func tellEmptied() {
    emptied?.succeed()
    emptied = nil
  }

  func leftHandshake() { admission.leaveHandshake() }

  // MARK: Time

  func hasPassed(_ limit: Duration, since start: NIODeadline) -> Bool {
    now - start >= TimeAmount(limit) + TimeAmount(configuration.sweepInterval)
  }

  private func scheduleSweep() {
    eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.sweepInterval)) {
      guard !self.isStopped else { return }
      self.now = .now()
      // From the end, because a connection that ends gives its slot to the last one.
      for slot in self.connections.indices.reversed() where slot < self.connections.count {
        self.connections[slot].sweep(at: self.now)
      }
      self.scheduleSweep()
    }
  }

  // MARK: Draining

  /// Sends 1001 to all, spread evenly over `period` so that the clients do not return as one herd, but at least one at each step: a few clients are
  /// no herd. Succeeds when none is left.
  func drain(over period: Duration) -> EventLoopFuture<Void> {
    isDraining = true
    let promise = eventLoop.makePromise(of: Void.self)
    emptied = promise
    if connections.isEmpty { tellEmptied() }
    closeShare(stepsLeft: max(1, Int(period / Self.drainStep)))
    return promise.futureResult
  }

  private static let drainStep = Duration.milliseconds(50)

  private func closeShare(stepsLeft: Int) {
    let open = connections.filter(\.isOpen)
    for connection in open.prefix((open.count + stepsLeft - 1) / stepsLeft) {
      connection.close(.goingAway, reason: "The server shuts down")
    }
    guard stepsLeft > 1, !isStopped else {
      for connection in connections where connection.phase == .handshaking { connection.refuse(drainRefusal) }
      return
    }
    eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(Self.drainStep)) { self.closeShare(stepsLeft: stepsLeft - 1) }
  }

  /// Ends all that is left, without a word.
  func abort() {
    for connection in connections { connection.context?.close(promise: nil) }
  }

  /// Stops the timers. Nothing is left here then.
  func stop() { isStopped = true }
}
