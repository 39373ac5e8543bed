internal import Access
internal import Models
internal import Store

/// What one controller's connection does (the WebMACS document's "Processing Pipeline", steps 1 to 3): input in, actions out. Pure.
///
/// Batches go to the log in their order, as many at once as have come while the last ones were on their way. What the controller is told of a batch, it is told
/// when that batch is in the log, and in the order of the batches.
struct ControllerSessionMachine {
  /// What a credential is checked for.
  enum Purpose: Hashable {
    case entry
    /// Something has changed; the credential may not be good any more.
    case stay
    /// It is to take the place of the one before.
    case renewal
  }

  enum Input {
    case checked(Purpose, AccessGate.Admission)
    case frame([UInt8])
    /// Nil when the directory could not be asked.
    case settings(ControllerSettings?)
    /// The events of `append` are in the log.
    case appended
    /// They are not, and are not tried again.
    case gaveUp
    case accessChanged(AccessChange)
    /// About once a second.
    case tick
  }

  enum Action: Equatable {
    case check(Purpose, credential: String?)
    case askSettings(ApplianceID)
    case send(WebMACSServerMessage)
    /// Into the log, in this order. Answered by `appended` or `gaveUp`.
    case append([Event])
    case count(accepted: Int, refused: Int)
    /// Whether the controller may send more now.
    case read(Bool)
    case close(Visit.End)
  }

  /// A batch, or a message that is none, in its place among the batches.
  private struct Work {
    var event: Event?
    var answers: [WebMACSServerMessage]
  }

  /// What may wait for the log, in bytes, before the controller is held back. What one read of the socket brought comes on top.
  static let waitingBytesMax = 512 * 1024

  /// Whether batches are to be acknowledged: `?ack=1`.
  private let acknowledges: Bool
  private var visit: Visit
  private var credential: String?
  /// The one that is to take its place.
  private var nextCredential: String?
  private var settings: ControllerSettings?
  private var isAskingSettings = false
  private var mustAskSettings = true
  /// Frames that came before the settings were known.
  private var early: [[UInt8]] = []
  private var underWay: [Work] = []
  private var waiting: [Work] = []
  private var waitingBytes = 0
  private var isReading = false

  init(credential: String?, acknowledges: Bool, limits: SessionLimits, now: Timestamp) {
    self.credential = credential
    self.acknowledges = acknowledges
    visit = Visit(limits: limits, now: now)
  }

  /// What is done first: nothing is read before the controller is known, so that nothing has to be kept.
  mutating func begin() -> [Action] { [.read(false), .check(.entry, credential: credential)] }

  mutating func handle(_ input: Input, now: Timestamp) -> [Action] {
    switch input {
    case .checked(let purpose, let admission): return take(admission, for: purpose, now: now)
    case .frame(let frame): return take(frame, now: now)
    case .settings(let answer): return take(answer, now: now)
    case .appended: return finish(isStored: true)
    case .gaveUp: return finish(isStored: false)
    case .accessChanged(let change): return changed(change)
    case .tick: return tick(now: now)
    }
  }

  // MARK: The controller

  private var controller: ApplianceID? { visit.principal.flatMap { try? ApplianceID($0.subject) } }

  private mutating func take(_ admission: AccessGate.Admission, for purpose: Purpose, now: Timestamp) -> [Action] {
    switch purpose {
    case .entry:
      switch visit.admit(admission) {
      case .entered(_, let frames):
        early = frames
        return askSettingsIfDue() + recheckIfDue()
      case .ended(let end): return [.close(end)]
      case nil: return []
      }
    case .stay:
      guard visit.principal != nil else { return [] }
      switch visit.rechecked(AccessGate.Recheck(admission)) {
      // Asked again at the next tick.
      case .unanswered: return []
      case .ended(let end): return [.close(end)]
      case .stays: return recheckIfDue()
      }
    case .renewal:
      defer { nextCredential = nil }
      do {
        guard let principal = try visit.renew(admission) else { return [] }
        credential = nextCredential
        return [.send(.authenticated(now, expiresAt: principal.expiresAt))]
      } catch {
        return refuse(error, now: now)
      }
    }
  }

  private mutating func recheckIfDue() -> [Action] {
    visit.recheckIfDue().map { _ in [.check(.stay, credential: credential)] } ?? []
  }

  private mutating func renew(by token: String, now: Timestamp) -> [Action] {
    do {
      try visit.beginRenewal()
      nextCredential = token
      return [.check(.renewal, credential: token)]
    } catch {
      return refuse(error, now: now)
    }
  }

  /// Another token was refused. That is a mistake, unless nobody could check it.
  private mutating func refuse(_ error: RenewalError, now: Timestamp) -> [Action] {
    if error != .unavailable, let end = visit.countMistake(now: now) { return [.close(end)] }
    return [.send(.error(error.text))]
  }

  private mutating func changed(_ change: AccessChange) -> [Action] {
    // Before it is known who it is, anything may be about it.
    let subject = visit.principal?.subject
    switch change {
    case .everything: break
    case .appliance(let id): guard subject ?? id.rawValue == id.rawValue else { return [] }
    case .sensors(of: let id):
      guard subject ?? id.rawValue == id.rawValue else { return [] }
      mustAskSettings = true
      return askSettingsIfDue()
    case .token(_, ofUser: let id): guard subject ?? id == id else { return [] }
    case .user: return []
    }
    mustAskSettings = true
    visit.mustBeRechecked()
    return askSettingsIfDue() + recheckIfDue()
  }

  private mutating func tick(now: Timestamp) -> [Action] {
    switch visit.tick(now: now) {
    case .ended(let end): return [.close(end)]
    case .expiring(let end): return [.send(.tokenExpiring(now, expiresAt: end))] + askSettingsIfDue() + recheckIfDue()
    case nil: return askSettingsIfDue() + recheckIfDue()
    }
  }

  // MARK: Settings

  private mutating func askSettingsIfDue() -> [Action] {
    guard mustAskSettings, !isAskingSettings, let controller else { return [] }
    (mustAskSettings, isAskingSettings) = (false, true)
    return [.askSettings(controller)]
  }

  private mutating func take(_ answer: ControllerSettings?, now: Timestamp) -> [Action] {
    isAskingSettings = false
    guard let answer else {
      // Those before count on; asked again at the next tick.
      mustAskSettings = true
      return []
    }
    settings = answer
    let frames = early
    early = []
    return askSettingsIfDue() + frames.flatMap { take($0, now: now) } + readIfRoom()
  }

  // MARK: Batches

  private mutating func take(_ frame: [UInt8], now: Timestamp) -> [Action] {
    guard let controller else { return visit.keep(frame).map { [.close($0)] } ?? [] }
    guard let settings else {
      early.append(frame)
      return []
    }
    do throws(WebMACSRejection) {
      switch try WebMACSControllerMessage(parsing: frame) {
      case .ping: return [.send(.pong)]
      case .auth(let token): return renew(by: token, now: now)
      case .batch(let batch): return take(batch, of: controller, settings, now: now)
      }
    } catch {
      if let end = visit.countMistake(now: now) { return [.close(end)] }
      return enqueue(Work(event: nil, answers: [.error(error.message)]))
    }
  }

  private mutating func take(_ batch: WebMACSBatch, of controller: ApplianceID, _ settings: ControllerSettings, now: Timestamp) -> [Action]
  {
    var (accepted, refusals) = ([WebMACSBatch.Datapoint](), batch.refusals)
    accepted.reserveCapacity(batch.datapoints.count)
    for datapoint in batch.datapoints {
      if settings.sensors.contains(datapoint.eventID) {
        accepted.append(datapoint)
      } else {
        refusals.append(
          WebMACSRefusal(index: datapoint.index, reason: "no enabled plugin of this controller reads the event '\(datapoint.eventID)'"))
      }
    }
    let count = Action.count(accepted: accepted.count, refused: refusals.count)
    guard !accepted.isEmpty else { return [count] + enqueue(Work(event: nil, answers: [.noValidDatapoints])) }
    var answers: [WebMACSServerMessage] = []
    if !refusals.isEmpty { answers.append(.refused(refusals.sorted { $0.index < $1.index }, of: batch.count)) }
    if acknowledges { answers.append(.ack(accepted: accepted.count, rejected: refusals.count)) }
    let event = WebMACSDatapoints.event(of: controller, at: now, experimentID: settings.experimentID, accepted)
    return [count] + enqueue(Work(event: event, answers: answers))
  }

  private mutating func enqueue(_ work: Work) -> [Action] {
    if work.event == nil, underWay.isEmpty, waiting.isEmpty { return work.answers.map(Action.send) }
    waiting.append(work)
    waitingBytes += work.event?.data.count ?? 0
    let actions = startIfIdle()
    guard isReading, waitingBytes > Self.waitingBytesMax else { return actions }
    isReading = false
    return actions + [.read(false)]
  }

  private mutating func startIfIdle() -> [Action] {
    guard underWay.isEmpty, !waiting.isEmpty else { return [] }
    (underWay, waiting, waitingBytes) = (waiting, [], 0)
    return [.append(underWay.compactMap(\.event))]
  }

  private mutating func finish(isStored: Bool) -> [Action] {
    let answers = isStored && visit.principal != nil ? underWay.flatMap(\.answers).map(Action.send) : []
    underWay = []
    return answers + startIfIdle() + readIfRoom()
  }

  private mutating func readIfRoom() -> [Action] {
    guard !isReading, settings != nil, waitingBytes <= Self.waitingBytesMax, visit.principal != nil else { return [] }
    isReading = true
    return [.read(true)]
  }
}

extension AccessGate.Recheck {
  /// What another check of a device's credential means for its connection.
  init?(_ admission: AccessGate.Admission) {
    switch admission {
    case .admitted: self.init()
    case .refused(let error): self.init(refusal: error)
    case .unavailable: return nil
    }
  }
}
