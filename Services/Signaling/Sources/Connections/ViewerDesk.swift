internal import Access
internal import AuditTrail
internal import Models
internal import WebSocketTransport

/// A viewer's side of the document: who it is, and which sessions it has.
actor ViewerDesk: Desk {
  struct Limits: Sendable {
    /// Sessions of one connection at the same time.
    var watchesMax = 16
    var requestBurst = 20
    var requestsPerSecond = 1.0
  }

  private let watchroom: Watchroom
  private let gate: AccessGate
  private let place: Place
  private let number: UInt64
  /// The name under which its sessions are held: the replica's last one, until `takePlaceAnew`.
  private var replica: String
  /// The token that came with the request, if one did.
  private let token: String?
  private let limits: Limits
  private let audit: AuditVoice
  private var principal: Principal?
  private struct Watch {
    let device: ApplianceID
    var delivery = Delivery()
    /// Whether it is noted as held here, and the session knows this seat.
    var isPlaced = true
    /// Whether another connection had it, and what waits was not looked for yet.
    var mustCollect = false
  }

  /// The sessions that are this connection's, as far as it knows.
  private var watches: [WatchID: Watch] = [:]
  private var isAsking = false
  /// Whether the client may still be expected to say what it has.
  private var isPatient = true
  private var requests: TokenBucket
  private var understandsCredentials = false

  init(_ watchroom: Watchroom, gate: AccessGate, place: Place, number: UInt64, token: String?, limits: Limits, audit: AuditVoice) {
    (self.audit, replica) = (audit, place.replica)
    (self.watchroom, self.gate, self.place, self.number, self.token, self.limits) = (watchroom, gate, place, number, token, limits)
    requests = TokenBucket(burst: limits.requestBurst, perSecond: limits.requestsPerSecond)
  }

  private var switchboard: Switchboard { watchroom.switchboard }
  private var seat: WatchSession.Seat { WatchSession.Seat(replica: replica, connection: number) }

  func received(_ request: SignalingRequest) async throws -> [DeskReply] {
    let id = request.requestID
    if case .hello(let hello) = request.message {
      understandsCredentials = hello.features.contains(SignalingHello.iceServersFeature)
      return await admit(token ?? hello.token, id) { .viewerHelloAck(userID: $0.subject) }
    }
    guard let principal else { return [.refuse(.unauthorized, id)] }
    switch request.message {
    case .hello: return []
    case .heartbeat: return [.send(.heartbeatAck, id)]
    case .auth(let token): return await admit(token, id) { .authenticated(until: $0.expiresAt) }
    case .watchRequest(let device): return try await begin(device, principal, id)
    case .offer(let watch, let sdp): return try await signal(.offer(sdp), watch, principal, id)
    case .answer(let watch, let sdp): return try await signal(.answer(sdp), watch, principal, id)
    case .candidate(let watch, let value): return try await signal(.candidate(value), watch, principal, id)
    case .endWatch(let watch): return try await apply(.endWatch(seat), watch, principal, id)
    case .presence: return [.refuse("A viewer does not send 'device_presence'", id)]
    }
  }

  // MARK: Who it is

  /// A connection stays its user's: a new token may only prolong it.
  private func admit(_ token: String?, _ id: String?, answer: (Principal) -> SignalingServerMessage) async -> [DeskReply] {
    switch await gate.admit(token) {
    case .admitted(let admitted):
      guard principal == nil || principal?.subject == admitted.subject else {
        audit.note(.tokenRenewed, .refused, userID: principal?.subject, detail: "the token is another's")
        return [.refuse(.unauthorized, id)]
      }
      audit.note(principal == nil ? .connectionOpened : .tokenRenewed, userID: admitted.subject)
      principal = admitted
      return [.introduced(until: admitted.expiresAt), .send(answer(admitted), id)]
    // One that is in keeps what it has until its end.
    case .refused(let error) where principal != nil:
      audit.note(.tokenRenewed, .refused, userID: principal?.subject, detail: error.text)
      return [.refuse("Invalid token", id)]
    case .refused(let error):
      audit.note(.authentication, .refused, detail: error.text)
      return [.close(.policyViolation, error.text)]
    case .unavailable where principal != nil: return [.fail(SignalingRejection(Unavailability.message, requestID: id))]
    case .unavailable: return [.close(.internalError, "The token cannot be checked now")]
    }
  }

  func accessChanged(_ change: AccessChange) async throws -> [DeskReply] {
    guard let principal, concerns(change, principal) else { return [] }
    guard let left = await gate.recheck(principal, Array(Set(watches.values.map(\.device)))) else { throw Unanswered() }
    if let refusal = left.refusal { return [.close(.policyViolation, refusal.text)] }
    for (id, watch) in watches where left.lost.contains(watch.device) { _ = try await watchroom.apply(.stop(.error), to: id) }
    return []
  }

  private func concerns(_ change: AccessChange, _ principal: Principal) -> Bool {
    switch change {
    case .everything: true
    case .user(let id), .token(_, ofUser: let id): id == principal.subject
    case .appliance(let device): watches.values.contains { $0.device == device }
    case .sensors: false
    }
  }

  // MARK: Sessions

  private func begin(_ name: String, _ principal: Principal, _ id: String?) async throws -> [DeskReply] {
    let start = ContinuousClock.now
    let device = try? ApplianceID(name)
    func refuse(_ reason: String, _ result: AuditEntry.Result = .refused) -> [DeskReply] {
      audit.note(.subscriptionBegun, result, userID: principal.subject, applianceID: device?.rawValue, detail: reason)
      return [.refuse(reason, id)]
    }
    guard requests.spend(at: .now()) else { return refuse("Too many watch requests") }
    guard watches.count < limits.watchesMax else { return refuse("Too many sessions on this connection") }
    guard let device else { return refuse(SignalingRejection.deviceNotFound.message) }
    switch await gate.permission(of: principal, on: device) {
    case .refused: return refuse(SignalingRejection.deviceNotFound.message)
    case .unavailable: throw Unanswered()
    case .granted: break
    }
    switch try await watchroom.begin(device, userID: principal.subject, viewer: seat) {
    case .offline: return refuse(SignalingRejection.deviceOffline.message, .failed)
    case .busy: return refuse("Device has too many viewers")
    case .ready(let watch, let servers):
      hold(watch, of: device)
      watchroom.metrics.ready(after: .now - start)
      return [.send(.watchReady(watch, servers), id)]
    }
  }

  private func signal(
    _ signal: WatchSession.Signal, _ watch: WatchID, _ principal: Principal, _ id: String?
  ) async throws -> [DeskReply] {
    try await apply(.signal(.viewer, seat, signal), watch, principal, id)
  }

  private func apply(_ input: WatchSession.Input, _ watch: WatchID, _ principal: Principal, _ id: String?) async throws -> [DeskReply] {
    try await takeSeats()
    if watches[watch] == nil {
      // A session of this user that comes from a connection which is lost, or about to be.
      guard watches.count < limits.watchesMax, let session = try await switchboard.read(watch)?.session else {
        return [.refuse(.sessionNotFound, id)]
      }
      guard session.userID == principal.subject else {
        let detail = "watch session \(watch): another user's"
        audit.note(.request, .refused, userID: principal.subject, applianceID: session.device.rawValue, detail: detail)
        return [.refuse(.sessionNotFound, id)]
      }
      try await switchboard.note(.viewer(watch), at: seat)
      hold(watch, of: session.device)
      watches[watch]?.mustCollect = true
    }
    switch try await watchroom.apply(input, to: watch, where: { $0.userID == principal.subject }) {
    case .done: return try await collectFirst(watch)
    case .refused(let reason): return try await collectFirst(watch) + [.refuse(reason, id)]
    case .noSession, .anothers: return try await collect() + [.refuse(.sessionNotFound, id)]
    }
  }

  // MARK: What waits

  func collect() async throws -> [DeskReply] {
    try await takeSeats()
    var replies: [DeskReply] = []
    do {
      for id in watches.keys.sorted() { try await collect(id, into: &replies) }
    } catch {
      // What was taken is sent; the next ring or refresh comes for the rest.
      if replies.isEmpty { throw error }
    }
    return replies + askReceipt()
  }

  /// A client that goes on with a session has what waits for it before it hears of anything else.
  private func collectFirst(_ watch: WatchID) async throws -> [DeskReply] {
    watches[watch]?.mustCollect == true ? try await collect() : []
  }

  private func collect(_ id: WatchID, into replies: inout [DeskReply]) async throws {
    while let delivery = watches[id]?.delivery {
      let most = isPatient && delivery.isHeldBack ? 0 : switchboard.limits.takeCountMax
      switch try await switchboard.takeLetters(of: id, for: seat, delivery, most: most) {
      case .frames(let frames, from: let number, hasMore: let hasMore):
        watches[id]?.mustCollect = false
        let count = watches[id]?.delivery.send(frames.map(\.count), from: number, isPatient: isPatient) ?? 0
        replies += frames.prefix(count).compactMap(deliver)
        if !hasMore || watches[id]?.delivery.isHeldBack == true { return }
      case .gone(let frame):
        let end = frame.flatMap(WatchFrame.init(parsing:)).flatMap { $0.kind == .ended ? $0 : nil }
        replies.append(end.map { .send($0.text) } ?? .send(.watchEnded(id, .error)))
        try await forget(id)
      case .absent, .superseded: try await forget(id)
      }
    }
  }

  private func askReceipt() -> [DeskReply] {
    guard !isAsking, watches.values.contains(where: { !$0.delivery.isCertain }) else { return [] }
    isAsking = true
    for id in watches.keys { watches[id]?.delivery.ask() }
    return [.askReceipt]
  }

  func receipt() async throws -> [DeskReply] {
    (isAsking, isPatient) = (false, true)
    let wasHeldBack = isHeldBack
    for id in watches.keys { watches[id]?.delivery.confirm() }
    return wasHeldBack ? try await collect() : askReceipt()
  }

  func receiptOverdue() async throws -> [DeskReply] {
    isPatient = false
    return isHeldBack ? try await collect() : []
  }

  private var isHeldBack: Bool { watches.values.contains { $0.delivery.isHeldBack } }

  private func deliver(_ bytes: [UInt8]) -> DeskReply? {
    guard let frame = WatchFrame(parsing: bytes), frame.kind != .credentials || understandsCredentials else { return nil }
    return .send(frame.text)
  }

  /// The session is this connection's from now on.
  private func hold(_ watch: WatchID, of device: ApplianceID) {
    watches[watch] = Watch(device: device)
    audit.note(.subscriptionBegun, userID: principal?.subject, applianceID: device.rawValue, detail: "watch session \(watch)")
  }

  private func forget(_ watch: WatchID) async throws {
    if let device = watches.removeValue(forKey: watch)?.device { noteEnd(of: watch, device) }
    try await switchboard.takeBack(.viewer(watch), at: seat)
  }

  /// The session is over, or another connection's, or lost with this one.
  private func noteEnd(of watch: WatchID, _ device: ApplianceID) {
    audit.note(.subscriptionEnded, userID: principal?.subject, applianceID: device.rawValue, detail: "watch session \(watch)")
  }

  func takePlaceAnew() async throws -> [DeskReply] {
    replica = place.replica
    for id in watches.keys { watches[id]?.isPlaced = false }
    return try await collect()
  }

  /// What could not be done is done by the next call.
  private func takeSeats() async throws {
    for (id, watch) in watches where !watch.isPlaced {
      try await switchboard.note(.viewer(id), at: seat)
      _ = try await watchroom.apply(.returned(.viewer, seat), to: id)
      watches[id]?.isPlaced = true
    }
  }

  // MARK: The end

  func closed(inGoodOrder: Bool) async {
    let (seat, switchboard) = (seat, switchboard)
    for (id, watch) in watches { noteEnd(of: id, watch.device) }
    for (watch, delivery) in watches.mapValues(\.delivery) {
      if !inGoodOrder, delivery.mustDrop { _ = try? await switchboard.takeLetters(of: watch, for: seat, delivery, most: 0) }
      await watchroom.applySurely(inGoodOrder ? .left(.viewer, seat) : .lost(.viewer, seat), to: watch)
      await Watchroom.surely(watchroom.logger) { try await switchboard.takeBack(.viewer(watch), at: seat) }
    }
    watches = [:]
    if let principal { audit.note(.connectionClosed, userID: principal.subject) }
  }
}

/// A question that Redis or PostgreSQL did not answer.
struct Unanswered: Error {}
