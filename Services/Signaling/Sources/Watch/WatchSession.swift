internal import Models

/// One viewer watching one device, from `watch_ready` to `watch_ended`: (who, state, input, time) → actions. Pure.
///
/// It follows the document's "Watch Session Lifecycle" as far as the broker can see it. Descriptions and candidates pass in the order in which their
/// sender sent them, and no candidate passes before the description that it belongs to. An end that loses its connection has a grace to come back.
struct WatchSession: Hashable, Sendable {
  enum Side: String, Hashable, Sendable, CaseIterable {
    case device, viewer
    var other: Side { self == .device ? .viewer : .device }
  }

  /// Where one end is connected.
  struct Seat: Hashable, Sendable {
    let replica: String
    let connection: UInt64
    /// Of a device, in the order of its hellos: an older one's word does not count any more. Of a viewer always 0: it is known by its user, and its
    /// newest connection is the one that speaks.
    let generation: Int64

    init(replica: String, connection: UInt64, generation: Int64 = 0) {
      (self.replica, self.connection, self.generation) = (replica, connection, generation)
    }
  }

  struct End: Hashable, Sendable {
    var seat: Seat
    /// When its connection was lost; nil while it is there.
    var lostAt: Timestamp?
  }

  enum Phase: String, Hashable, Sendable {
    /// READY: the viewer is to send its offer.
    case ready
    /// OFFER_SENT: the device is to answer.
    case offered
    /// ANSWER_RECEIVED: neither end has shown an address yet.
    case answered
    /// ICE_GATHERING and all that follows, which the broker does not see.
    case connecting
  }

  /// What one end says to the other through the broker. The bytes are the value of `sdp` or `candidate`, as it came.
  enum Signal: Hashable, Sendable {
    case offer([UInt8])
    case answer([UInt8])
    case candidate([UInt8])

    var bytes: [UInt8] {
      switch self {
      case .offer(let bytes), .answer(let bytes), .candidate(let bytes): bytes
      }
    }
  }

  enum Input: Hashable, Sendable {
    case signal(Side, Seat, Signal)
    /// The viewer's `end_watch`.
    case endWatch(Seat)
    /// The end's connection broke.
    case lost(Side, Seat)
    /// The end closed its connection in good order.
    case left(Side, Seat)
    /// The end is connected, maybe anew.
    case returned(Side, Seat)
    /// Somebody who is no part of it ends it.
    case stop(WatchEndReason)
    /// Time has passed.
    case time
  }

  enum Action: Hashable, Sendable {
    case tell(Side, Tale)
    /// What still waits for the device of this session is superseded by what follows.
    case forgetMail
    /// The input has no effect; its sender is told why.
    case refuse(String)
    /// The last action: the session is over.
    case end(WatchEndReason)
  }

  enum Tale: Hashable, Sendable {
    /// `watch_request`, once more, to a device that came back before it answered.
    case request
    case signal(Signal)
    /// New credentials for the ICE servers.
    case credentials
    case ended(WatchEndReason)
  }

  struct Limits: Hashable, Sendable {
    var offerTimeout = Duration.seconds(30)
    var answerTimeout = Duration.seconds(20)
    var candidateTimeout = Duration.seconds(30)
    var sessionTimeout = Duration.seconds(4 * 3600)
    /// How long an end that lost its connection may stay away.
    var grace = Duration.seconds(5)
    /// How often both ends get new credentials; nil where there are none to renew.
    var renewalPeriod: Duration?
    /// Held for one end, in all.
    var heldCountMax = 128
    var heldLengthMax_bytes = 192 * 1024
  }

  let id: WatchID
  let device: ApplianceID
  let userID: String
  let beganAt: Timestamp
  var deviceEnd: End
  var viewerEnd: End
  var phase = Phase.ready
  var phaseBeganAt: Timestamp
  /// When the device first answered.
  var answeredAt: Timestamp?
  var renewedAt: Timestamp
  /// Whether any end has shown an address, in a candidate or in its description.
  var hasCandidate = false
  /// The offer and the viewer's candidates since: told anew to a device that comes back before it has answered.
  var heldForDevice: [Signal] = []
  /// The device's candidates before its answer.
  var heldForViewer: [Signal] = []

  init(id: WatchID, device: ApplianceID, userID: String, deviceSeat: Seat, viewerSeat: Seat, now: Timestamp) {
    (self.id, self.device, self.userID, beganAt) = (id, device, userID, now)
    (deviceEnd, viewerEnd) = (End(seat: deviceSeat), End(seat: viewerSeat))
    (phaseBeganAt, renewedAt) = (now, now)
  }

  mutating func handle(_ input: Input, limits: Limits, now: Timestamp) -> [Action] {
    switch input {
    case .signal(let side, let seat, let signal):
      guard let arrival = arrive(side, seat) else { return [.refuse(SignalingRejection.sessionNotFound.message)] }
      return arrival + pass(signal, from: side, limits, now)
    case .endWatch(let seat):
      guard let arrival = arrive(.viewer, seat) else { return [.refuse(SignalingRejection.sessionNotFound.message)] }
      return arrival + end(.userEnded)
    case .lost(let side, let seat):
      guard self[side].seat == seat, self[side].lostAt == nil else { return [] }
      self[side].lostAt = now
      return []
    case .left(let side, let seat): return self[side].seat == seat ? end(side.reasonOfLoss) : []
    case .returned(let side, let seat): return arrive(side, seat) ?? []
    case .stop(let reason): return end(reason)
    case .time: return passTime(limits, now)
    }
  }

  subscript(_ side: Side) -> End {
    get { side == .device ? deviceEnd : viewerEnd }
    set { if side == .device { deviceEnd = newValue } else { viewerEnd = newValue } }
  }

  /// The end is there, on this seat. Nil for one that a newer has taken the place of.
  private mutating func arrive(_ side: Side, _ seat: Seat) -> [Action]? {
    guard seat.generation >= self[side].seat.generation else { return nil }
    let isNew = seat != self[side].seat
    self[side] = End(seat: seat)
    guard isNew, side == .device, phase == .ready || phase == .offered else { return [] }
    // A device that comes back may have started anew.
    return [.forgetMail, .tell(.device, .request)] + (phase == .offered ? heldForDevice.map { .tell(.device, .signal($0)) } : [])
  }

  private mutating func end(_ reason: WatchEndReason) -> [Action] {
    [.tell(.device, .ended(reason)), .tell(.viewer, .ended(reason)), .end(reason)]
  }

  // MARK: Signals

  private mutating func pass(_ signal: Signal, from side: Side, _ limits: Limits, _ now: Timestamp) -> [Action] {
    switch (signal, side) {
    case (.offer, .device): return [.refuse("A device does not send 'signal_offer'")]
    case (.answer, .viewer): return [.refuse("A viewer does not send 'signal_answer'")]
    case (.offer, .viewer):
      guard phase != .offered else { return [.refuse("'signal_offer' is out of order: the last one is not answered yet")] }
      let held = phase == .ready ? heldForDevice : []
      enter(.offered, now)
      note(signal)
      heldForDevice = [signal] + held
      return heldForDevice.map { .tell(.device, .signal($0)) }
    case (.answer, .device):
      guard phase == .offered else { return [.refuse("'signal_answer' is out of order: no offer waits for an answer")] }
      note(signal)
      let held = heldForViewer
      (heldForDevice, heldForViewer) = ([], [])
      answeredAt = answeredAt ?? now
      enter(hasCandidate ? .connecting : .answered, now)
      return ([signal] + held).map { .tell(.viewer, .signal($0)) }
    case (.candidate, _): return passCandidate(signal, from: side, limits, now)
    }
  }

  private mutating func passCandidate(_ signal: Signal, from side: Side, _ limits: Limits, _ now: Timestamp) -> [Action] {
    switch (side, phase) {
    case (.viewer, .ready), (.viewer, .offered):
      guard hasRoom(in: heldForDevice, for: signal, limits) else { return [.refuse("Too many candidates before the answer")] }
      note(signal)
      heldForDevice.append(signal)
      return phase == .offered ? [.tell(.device, .signal(signal))] : []
    case (.device, .ready), (.device, .offered):
      guard hasRoom(in: heldForViewer, for: signal, limits) else { return [.refuse("Too many candidates before the answer")] }
      note(signal)
      heldForViewer.append(signal)
      return []
    case (_, .answered), (_, .connecting):
      note(signal)
      if phase == .answered, hasCandidate { enter(.connecting, now) }
      return [.tell(side.other, .signal(signal))]
    }
  }

  private mutating func enter(_ next: Phase, _ now: Timestamp) { (phase, phaseBeganAt) = (next, now) }

  private func hasRoom(in held: [Signal], for signal: Signal, _ limits: Limits) -> Bool {
    held.count < limits.heldCountMax && held.reduce(signal.bytes.count) { $0 + $1.bytes.count } <= limits.heldLengthMax_bytes
  }

  /// Clients that do not trickle put their candidates into the description; the end of candidates, `null`, is none.
  private mutating func note(_ signal: Signal) {
    switch signal {
    case .candidate(let bytes): hasCandidate = hasCandidate || bytes != Array("null".utf8)
    case .offer(let bytes), .answer(let bytes): hasCandidate = hasCandidate || bytes.contains(Self.candidateLine)
    }
  }

  private static let candidateLine = Array("a=candidate:".utf8)

  // MARK: Time

  private mutating func passTime(_ limits: Limits, _ now: Timestamp) -> [Action] {
    for side in [Side.device, .viewer] {
      if let lostAt = self[side].lostAt, now >= lostAt + limits.grace { return end(side.reasonOfLoss) }
    }
    if now >= beganAt + limits.sessionTimeout { return end(.timeout) }
    if let patience = patience(limits), now >= phaseBeganAt + patience { return end(.timeout) }
    guard let period = limits.renewalPeriod, now >= renewedAt + period else { return [] }
    renewedAt = now
    return [.tell(.device, .credentials), .tell(.viewer, .credentials)]
  }

  /// How long the phase may last.
  private func patience(_ limits: Limits) -> Duration? {
    switch phase {
    case .ready: limits.offerTimeout
    case .offered: limits.answerTimeout
    case .answered: limits.candidateTimeout
    case .connecting: nil
    }
  }

  /// When time is to be told next.
  func deadline(_ limits: Limits) -> Timestamp {
    let losses = Side.allCases.compactMap { self[$0].lostAt.map { $0 + limits.grace } }
    let steps = [patience(limits).map { phaseBeganAt + $0 }, limits.renewalPeriod.map { renewedAt + $0 }].compactMap(\.self)
    return (losses + steps).reduce(beganAt + limits.sessionTimeout, min)
  }
}

extension WatchSession.Side {
  fileprivate var reasonOfLoss: WatchEndReason { self == .device ? .deviceDisconnected : .viewerDisconnected }
}

extension [UInt8] {
  fileprivate func contains(_ pattern: [UInt8]) -> Bool {
    guard let first = pattern.first, count >= pattern.count else { return false }
    return indices.dropLast(pattern.count - 1).contains { self[$0] == first && self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
  }
}
