internal import Backoff
internal import Logging
internal import Models
internal import RedisClient
internal import Store

/// Carries out what `WatchSession` decides, on the state that all replicas share.
struct Watchroom: Sendable {
  enum Outcome: Equatable, Sendable {
    case done
    case refused(String)
    /// It is over, or never was.
    case noSession
    /// It is none of the sender's, who is told the same as of none.
    case anothers
  }

  enum Beginning: Equatable, Sendable {
    case ready(WatchID, [ICEServer])
    case offline
    /// The device has as many viewers as it may.
    case busy
  }

  /// Too many others changed the session at the same time.
  struct Contended: Error {}

  let switchboard: Switchboard
  let limits: WatchSession.Limits
  let servers: ICEServers
  let clock: ServerClock
  let metrics: SignalingMetrics
  let logger: Logger

  /// Each attempt costs two calls.
  private static let attemptCountMax = 24

  /// A user begins to watch a device; the device is told.
  func begin(_ device: ApplianceID, userID: String, viewer: WatchSession.Seat) async throws -> Beginning {
    // The device may change its connection in between.
    for _ in 0..<Self.attemptCountMax {
      guard let seat = try await switchboard.seat(of: device) else { return .offline }
      let now = clock.now()
      let id = WatchID(device: device, random: (.random(in: .min ... .max), .random(in: .min ... .max)))
      let session = WatchSession(id: id, device: device, userID: userID, deviceSeat: seat, viewerSeat: viewer, now: now)
      try await switchboard.note(.viewer(id), at: viewer)
      let beginning = try await switchboard.begin(
        session, deadline: session.deadline(limits), frame: frame(.request, for: .device, of: session, now: now).encoded(),
        record: session.record)
      switch beginning {
      case .ok:
        metrics.began()
        logger.info("watch began", metadata: session.metadata)
        return .ready(id, servers.list(for: .viewer, of: id, userID: userID, now: now))
      case .busy:
        try await switchboard.takeBack(.viewer(id), at: viewer)
        return .busy
      case .moved: try await switchboard.takeBack(.viewer(id), at: viewer)
      }
    }
    throw Contended()
  }

  /// Feeds one input to a session.
  ///
  /// - Parameter isAllowed: whether the session is one of the sender's.
  func apply(
    _ input: WatchSession.Input, to id: WatchID, where isAllowed: @Sendable (WatchSession) -> Bool = { _ in true }
  ) async throws -> Outcome {
    var (input, backoff) = (input, Backoff(shortest: .milliseconds(4), longest: .milliseconds(200)))
    for _ in 0..<Self.attemptCountMax {
      guard var reading = try await switchboard.read(id) else { return .noSession }
      guard isAllowed(reading.session) else { return .anothers }
      let (before, now) = (reading.session, clock.now())
      let actions = reading.session.handle(input, limits: limits, now: now)
      for case .refuse(let reason) in actions where reading.session == before { return .refused(reason) }
      guard !actions.isEmpty || reading.session != before else { return .done }
      switch try await switchboard.commit(reading, change(for: actions, of: reading.session, now: now)) {
      case .ok:
        note(actions, of: reading.session, since: before)
        for case .refuse(let reason) in actions { return .refused(reason) }
        return .done
      case .full: input = .stop(.error)
      case .conflict:
        metrics.conflicted()
        try await Task.sleep(for: backoff.next())
      }
    }
    throw Contended()
  }

  /// `apply` for what must not be lost, such as the loss of an end: tried again until Redis answers, for two minutes at most.
  func applySurely(_ input: WatchSession.Input, to id: WatchID) async {
    await Self.surely(logger) { _ = try await apply(input, to: id) }
  }

  /// What nobody could do would be found by the one who takes care when this replica dies.
  static func surely(_ logger: Logger, _ body: @Sendable () async throws -> Void) async {
    var backoff = Backoff(shortest: .milliseconds(100), longest: .seconds(5))
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline, !Task.isCancelled {
      do { return try await body() } catch {
        logger.debug("trying again: \(error)")
        try? await Task.sleep(for: backoff.next())
      }
    }
    logger.warning("gave up after two minutes without Redis")
  }

  // MARK: Actions

  private func change(for actions: [WatchSession.Action], of session: WatchSession, now: Timestamp) -> Switchboard.Change {
    var change = Switchboard.Change(deadline: session.deadline(limits))
    for action in actions {
      switch action {
      case .tell(.device, let tale): change.toDevice.append(frame(tale, for: .device, of: session, now: now).encoded())
      case .tell(.viewer, let tale): change.toViewer.append(frame(tale, for: .viewer, of: session, now: now).encoded())
      case .forgetMail: change.forgetsMail = true
      case .refuse: break
      case .end(let reason):
        change.deadline = nil
        var record = session.record
        record.end = .init(at: now, reason: reason)
        change.record = record
      }
    }
    return change
  }

  private func frame(_ tale: WatchSession.Tale, for side: WatchSession.Side, of session: WatchSession, now: Timestamp) -> WatchFrame {
    let id = session.id
    switch tale {
    case .request:
      let servers = servers.list(for: side, of: id, userID: session.userID, now: now)
      return WatchFrame(.plain, id, SignalingServerMessage.watchRequest(id, userID: session.userID, servers).encoded(at: now))
    case .signal(.offer(let sdp)): return WatchFrame(.plain, id, SignalingServerMessage.offer(id, sdp: sdp).encoded(at: now))
    case .signal(.answer(let sdp)): return WatchFrame(.plain, id, SignalingServerMessage.answer(id, sdp: sdp).encoded(at: now))
    case .signal(.candidate(let value)): return WatchFrame(.plain, id, SignalingServerMessage.candidate(id, value).encoded(at: now))
    case .credentials:
      let servers = servers.list(for: side, of: id, userID: session.userID, now: now)
      return WatchFrame(.credentials, id, SignalingServerMessage.iceServers(id, servers).encoded(at: now))
    case .ended(let reason): return WatchFrame(.ended, id, SignalingServerMessage.watchEnded(id, reason).encoded(at: now))
    }
  }

  private func note(_ actions: [WatchSession.Action], of session: WatchSession, since before: WatchSession) {
    if before.answeredAt == nil, let answeredAt = session.answeredAt { metrics.answered(after: answeredAt - session.beganAt) }
    for action in actions {
      switch action {
      case .tell(_, .signal): metrics.relayed()
      case .end(let reason):
        metrics.ended(reason)
        logger.info("watch ended", metadata: session.metadata.merging(["reason": "\(reason.rawValue)"]) { $1 })
      default: break
      }
    }
  }
}

extension WatchSession {
  /// What PostgreSQL is told of it while it goes on.
  var record: WatchRecord {
    WatchRecord(id: id, device: device, userID: userID, startedAt: beganAt, answeredAt: answeredAt)
  }

  var metadata: Logger.Metadata { ["session_id": "\(id)", "appliance_id": "\(device)", "user_id": "\(userID)"] }
}
