internal import Access
internal import AuditTrail
internal import EventLog
internal import Models
internal import WebSocketTransport

/// A device's side of the document: which device it is, and that it still is.
actor DeviceDesk: Desk {
  /// Presence messages of one connection that are kept and passed on.
  private static let presenceBurst = 5

  private struct Introduction {
    let device: ApplianceID
    var credential: String?
    /// Of its token; nil for one that came without.
    var end: Timestamp?
    let generation: Int64
    let seat: WatchSession.Seat
  }

  private let watchroom: Watchroom
  private let door: DeviceDoor
  private let log: any EventLog
  private let place: Place
  private let number: UInt64
  /// What came with the request to prove itself, if anything did.
  private let credential: String?
  private let audit: AuditVoice
  private var introduction: Introduction?
  /// What was noted as held here, and is taken back at the end.
  private var held: (device: ApplianceID, seat: WatchSession.Seat)?
  /// Whether a newer connection of the device has its place.
  private var isSuperseded = false
  private var understandsCredentials = false
  private var delivery = Delivery()
  private var isAsking = false
  /// Whether it may still be expected to say what it has.
  private var isPatient = true
  private var presences = TokenBucket(burst: DeviceDesk.presenceBurst, perSecond: 1)

  init(_ watchroom: Watchroom, door: DeviceDoor, log: any EventLog, place: Place, number: UInt64, credential: String?, audit: AuditVoice) {
    self.audit = audit
    (self.watchroom, self.door, self.log, self.place) = (watchroom, door, log, place)
    (self.number, self.credential) = (number, credential)
  }

  private var switchboard: Switchboard { watchroom.switchboard }

  func received(_ request: SignalingRequest) async throws -> [DeskReply] {
    let id = request.requestID
    if case .hello(let hello) = request.message { return try await admit(hello, id) }
    guard let introduction else { return [.refuse(.unauthorized, id)] }
    switch request.message {
    case .hello: return []
    case .heartbeat: return [.send(.heartbeatAck, id)]
    case .offer(let watch, let sdp): return try await signal(.offer(sdp), watch, introduction, id)
    case .answer(let watch, let sdp): return try await signal(.answer(sdp), watch, introduction, id)
    case .candidate(let watch, let value): return try await signal(.candidate(value), watch, introduction, id)
    case .presence(let data): return try await keep(data, of: introduction.device, id)
    case .watchRequest: return [.refuse("A device does not send 'watch_request'", id)]
    case .endWatch: return [.refuse("A device does not send 'end_watch'", id)]
    case .auth(let token): return await renew(by: token, introduction, id)
    }
  }

  // MARK: Which device it is

  private func admit(_ hello: SignalingHello, _ id: String?) async throws -> [DeskReply] {
    guard let name = hello.deviceID else { return [.refuse("'payload.device_id' must be a string", id)] }
    if let introduction {
      return introduction.device.rawValue == name ? [.send(.deviceHelloAck(introduction.device), id)] : [.refuse(.unauthorized, id)]
    }
    let credential = credential ?? hello.token
    guard let device = try? ApplianceID(name) else { return [.close(.policyViolation, SignalingRejection.deviceNotFound.message)] }
    let end: Timestamp?
    switch await door.admit(device, credential: credential) {
    case .refused(let text):
      audit.note(.authentication, .refused, applianceID: device.rawValue, detail: text)
      return [.close(.policyViolation, text)]
    case .unavailable: return [.close(.internalError, "The device cannot be looked up now")]
    case .admitted(let until): end = until
    }
    understandsCredentials = hello.features.contains(SignalingHello.iceServersFeature)
    do {
      guard try await attach(device, credential, until: end, expecting: nil) else { return giveWay() }
    } catch {
      return [.close(.internalError, "The device cannot be connected now")]
    }
    audit.note(.connectionOpened, applianceID: device.rawValue)
    return [.introduced(until: end), .send(.deviceHelloAck(device), id)] + ((try? await collect()) ?? [])
  }

  private func giveWay() -> [DeskReply] {
    isSuperseded = true
    return [.close(.policyViolation, "Another connection of this device took the place of this one")]
  }

  /// The device is here from now on, and so are its sessions. False when a newer connection of it is elsewhere.
  private func attach(
    _ device: ApplianceID, _ credential: String?, until end: Timestamp?, expecting generation: Int64?
  ) async throws -> Bool {
    let replica = place.replica
    let held = WatchSession.Seat(replica: replica, connection: number)
    self.held = (device, held)
    try await switchboard.note(.device(device), at: held)
    switch try await switchboard.attach(device, replica: replica, connection: number, expecting: generation) {
    case .superseded: return false
    case .attached(let generation, let sessions):
      let seat = WatchSession.Seat(replica: replica, connection: number, generation: generation)
      introduction = Introduction(device: device, credential: credential, end: end, generation: generation, seat: seat)
      delivery = Delivery()
      for watch in sessions { _ = try await watchroom.apply(.returned(.device, seat), to: watch) }
      return true
    }
  }

  func takePlaceAnew() async throws -> [DeskReply] {
    guard let introduction else { return [] }
    let isHere = try await attach(
      introduction.device, introduction.credential, until: introduction.end, expecting: introduction.generation)
    return isHere ? try await collect() : giveWay()
  }

  func accessChanged(_ change: AccessChange) async throws -> [DeskReply] {
    guard let introduction else { return [] }
    switch change {
    case .appliance(let device) where device == introduction.device: break
    case .everything, .token: break
    case .appliance, .user, .sensors: return []
    }
    switch await door.admit(introduction.device, credential: introduction.credential) {
    case .admitted(let end):
      // What it showed may count from now on, or not any more: whether its camera is taken at its word can change.
      guard end != introduction.end else { return [] }
      self.introduction?.end = end
      return [.introduced(until: end)]
    case .refused(let text): return [.close(.policyViolation, text)]
    case .unavailable: throw Unanswered()
    }
  }

  /// A connection stays its device's: a new token may only prolong it.
  private func renew(by token: String, _ introduction: Introduction, _ id: String?) async -> [DeskReply] {
    guard introduction.end != nil else { return [.refuse("Only a device that came by a token sends 'auth'", id)] }
    let device = introduction.device.rawValue
    switch await door.check(token: token) {
    case .admitted(let principal):
      guard principal.subject == device else {
        audit.note(.tokenRenewed, .refused, applianceID: device, detail: "the token is another's")
        return [.refuse(.unauthorized, id)]
      }
      audit.note(.tokenRenewed, applianceID: device)
      // By which it is checked when access changes.
      self.introduction?.credential = token
      self.introduction?.end = principal.expiresAt
      return [.introduced(until: principal.expiresAt), .send(.authenticated(until: principal.expiresAt), id)]
    // It keeps what it has until its end.
    case .refused(let error):
      audit.note(.tokenRenewed, .refused, applianceID: device, detail: error.text)
      return [.refuse("Invalid token", id)]
    case .unavailable: return [.fail(SignalingRejection(Unavailability.message, requestID: id))]
    }
  }

  // MARK: What it says

  private func signal(
    _ signal: WatchSession.Signal, _ watch: WatchID, _ introduction: Introduction, _ id: String?
  ) async throws -> [DeskReply] {
    let device = introduction.device
    switch try await watchroom.apply(.signal(.device, introduction.seat, signal), to: watch, where: { $0.device == device }) {
    case .done:
      // Its next connection is not to be told the offer that it has answered.
      if case .answer = signal, delivery.mustDrop { return (try? await collect()) ?? [] }
      return []
    case .refused(let reason): return [.refuse(reason, id)]
    case .noSession: return [.refuse(.sessionNotFound, id)]
    case .anothers:
      audit.note(.request, .refused, applianceID: device.rawValue, detail: "watch session \(watch): another device's")
      return [.refuse(.sessionNotFound, id)]
    }
  }

  private func keep(_ data: [UInt8], of device: ApplianceID, _ id: String?) async throws -> [DeskReply] {
    let now = Timestamp.now()
    guard presences.spend(at: now) else {
      let reason = "Too many presence messages"
      audit.note(.request, .refused, applianceID: device.rawValue, detail: reason)
      return [.refuse(reason, id)]
    }
    try await switchboard.keepPresence(data, of: device, at: now)
    let event = Event(type: .appliancePresence, applianceID: device, timestamp: now, data: data)
    _ = try await log.append([LogEntry(.event(event), order: now)])
    return []
  }

  // MARK: What waits for it

  func collect() async throws -> [DeskReply] {
    guard let introduction else { return [] }
    var replies: [DeskReply] = []
    do {
      while true {
        let most = isPatient && delivery.isHeldBack ? 0 : switchboard.limits.takeCountMax
        switch try await switchboard.takeMail(of: introduction.device, generation: introduction.generation, delivery, most: most) {
        case .frames(let frames, from: let number, hasMore: let hasMore):
          replies += frames.prefix(delivery.send(frames.map(\.count), from: number, isPatient: isPatient)).compactMap(deliver)
          if !hasMore || delivery.isHeldBack { return replies + askReceipt() }
        case .superseded: return giveWay()
        case .absent, .gone: return replies + [.takePlaceAnew]
        }
      }
    } catch {
      // What was taken is sent; the next ring or refresh comes for the rest.
      if replies.isEmpty { throw error }
      return replies + askReceipt()
    }
  }

  private func askReceipt() -> [DeskReply] {
    guard !isAsking, !delivery.isCertain else { return [] }
    isAsking = true
    delivery.ask()
    return [.askReceipt]
  }

  func receipt() async throws -> [DeskReply] {
    (isAsking, isPatient) = (false, true)
    let wasHeldBack = delivery.isHeldBack
    delivery.confirm()
    return wasHeldBack ? try await collect() : askReceipt()
  }

  func receiptOverdue() async throws -> [DeskReply] {
    isPatient = false
    return delivery.isHeldBack ? try await collect() : []
  }

  private func deliver(_ bytes: [UInt8]) -> DeskReply? {
    guard let frame = WatchFrame(parsing: bytes), frame.kind != .credentials || understandsCredentials else { return nil }
    return .send(frame.text)
  }

  // MARK: The end

  func closed(inGoodOrder: Bool) async {
    guard let held else { return }
    let (watchroom, switchboard, introduction) = (watchroom, switchboard, introduction)
    if let introduction {
      audit.note(.connectionClosed, applianceID: introduction.device.rawValue)
      if delivery.mustDrop {
        _ = try? await switchboard.takeMail(of: introduction.device, generation: introduction.generation, delivery, most: 0)
      }
    }
    // Sessions go on with a newer connection, which may not have said so to each of them yet.
    let isGoodbye = inGoodOrder && !isSuperseded
    await Watchroom.surely(watchroom.logger) {
      if let introduction {
        let watches = try await switchboard.detach(introduction.device, generation: introduction.generation)
        let input: WatchSession.Input = isGoodbye ? .left(.device, introduction.seat) : .lost(.device, introduction.seat)
        for watch in watches { _ = try await watchroom.apply(input, to: watch) }
      }
      try await switchboard.takeBack(.device(held.device), at: held.seat)
    }
  }
}
