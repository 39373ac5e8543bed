internal import EventLog
internal import Models

/// The subscriptions of one app's connection. Pure.
///
/// Each goes through these steps: the user's right is asked for; the appliance's live events are joined and held; the log is read; then
/// `subscribed`, what the client is owed of the past, and what was held go out, in this order, so that nothing falls between past and live.
///
/// A client that comes back with `since` for hundreds of appliances is served one after the other, each as fast as it reads.
struct EpicuraSubscriptions {
  typealias Action = EpicuraSessionStateMachine.Action

  private struct Subscription {
    enum Stage {
      case asking
      /// Waits for the recovery of another one.
      case queued
      case joining, reading
      /// The rest of what the client missed waits until it has taken what it was given.
      case paused
      case established
    }

    var stage = Stage.asking
    /// Tells the answers to this attempt from those to an earlier one.
    let attempt: Int
    /// The last event that the client has seen, if it named one.
    let since: EventID?
    var isJoined: Bool
    /// When a neighbour was last asked.
    var asked: Timestamp
    /// Behind it the live events begin.
    var position = EventID.zero
    /// What the client has been told; nil before `subscribed`.
    var known: KnownEvents?
  }

  private let countMax: Int
  private let answerTimeout: Duration
  private var subscriptions: [ApplianceID: Subscription] = [:]
  /// Those that are being recovered, the first, and that wait for it.
  private var recoveries: [ApplianceID] = []
  private var lastAttempt = 0

  init(countMax: Int, answerTimeout: Duration) {
    self.countMax = countMax
    self.answerTimeout = answerTimeout
  }

  /// In their order.
  var appliances: [ApplianceID] { subscriptions.keys.sorted() }

  func contains(_ appliance: ApplianceID) -> Bool { subscriptions[appliance] != nil }

  // MARK: Beginning and ending

  /// Begins one, or begins it anew, and answers the number of this attempt. Nil when it is under way already.
  mutating func begin(_ appliance: ApplianceID, since: EventID?, now: Timestamp) throws(EpicuraRejection) -> Int? {
    let known = subscriptions[appliance]
    if let known, known.stage != .established { return nil }
    guard known != nil || subscriptions.count < countMax else {
      throw EpicuraRejection(.tooManySubscriptions, "A connection may subscribe to \(countMax) appliances", appliance)
    }
    lastAttempt += 1
    subscriptions[appliance] = Subscription(attempt: lastAttempt, since: since, isJoined: known?.isJoined ?? false, asked: now)
    return lastAttempt
  }

  mutating func end(_ appliance: ApplianceID, now: Timestamp) -> [Action] {
    guard let ended = subscriptions.removeValue(forKey: appliance) else { return [] }
    return (ended.isJoined ? [.leave(appliance)] : []) + finishRecovery(of: appliance, now: now)
  }

  /// Whether this attempt waits for the user's right to be known.
  func isAsking(_ appliance: ApplianceID, attempt: Int) -> Bool { isIn(.asking, appliance, attempt) }

  /// Whether this attempt waits for the log.
  func isReading(_ appliance: ApplianceID, attempt: Int) -> Bool { isIn(.reading, appliance, attempt) }

  private func isIn(_ stage: Subscription.Stage, _ appliance: ApplianceID, _ attempt: Int) -> Bool {
    subscriptions[appliance].map { $0.attempt == attempt && $0.stage == stage } ?? false
  }

  /// Those whose neighbours have not answered in time.
  func late(now: Timestamp) -> [ApplianceID] {
    let late = subscriptions.filter { _, subscription in
      switch subscription.stage {
      case .asking, .joining, .reading: now - subscription.asked > answerTimeout
      case .queued, .paused, .established: false
      }
    }
    return late.keys.sorted()
  }

  // MARK: Steps

  /// The user has the right.
  mutating func permitted(_ appliance: ApplianceID, now: Timestamp) -> [Action] {
    guard subscriptions[appliance]?.since != nil else { return join(appliance, now: now) }
    recoveries.append(appliance)
    guard recoveries.first == appliance else {
      subscriptions[appliance]?.stage = .queued
      return []
    }
    return join(appliance, now: now)
  }

  private mutating func join(_ appliance: ApplianceID, now: Timestamp) -> [Action] {
    subscriptions[appliance]?.stage = .joining
    subscriptions[appliance]?.isJoined = true
    subscriptions[appliance]?.asked = now
    return [.join(appliance)]
  }

  private mutating func finishRecovery(of appliance: ApplianceID, now: Timestamp) -> [Action] {
    let wasFirst = recoveries.first == appliance
    recoveries.removeAll { $0 == appliance }
    guard wasFirst, let next = recoveries.first else { return [] }
    return join(next, now: now)
  }

  mutating func becameLive(_ appliance: ApplianceID, position: EventID, now: Timestamp) -> [Action] {
    guard var subscription = subscriptions[appliance], subscription.stage == .joining else { return [] }
    subscription.stage = .reading
    subscription.asked = now
    subscription.position = position
    subscriptions[appliance] = subscription
    return [.readLog(appliance, attempt: subscription.attempt, since: subscription.known?.discrete ?? subscription.since)]
  }

  /// The log was read for the attempt that is under way.
  mutating func read(_ reading: LogReading, _ appliance: ApplianceID, now: Timestamp) -> [Action] {
    guard let subscription = subscriptions[appliance] else { return [] }
    if let known = subscription.known {
      // It has been told that everything will come, and the log has lost some of it meanwhile.
      guard let past = reading.wholePast else { return [.closeAsSlow] }
      return [.deliver(appliance, Recovery(known, state: reading.state, history: past))]
    }
    let status = reading.state.last { $0.type.rawValue == "appliance:status" }
    let current = status.flatMap { try? JSONObject(parsing: $0.data) }?.string("status") ?? Self.statusOfTheSilent
    if let since = subscription.since, let past = reading.wholePast {
      let recovery = Recovery(KnownEvents(since: since), state: reading.state, history: past)
      return [.send(.subscribed(appliance, now, currentStatus: current, recovered: true)), .deliver(appliance, recovery)]
    }
    // A status behind the position is among the live events.
    let told = status.flatMap { $0.id ?? .zero <= subscription.position ? Action.sendEvent($0) : nil }
    let recovered = subscription.since.map { _ in false }
    return [.send(.subscribed(appliance, now, currentStatus: current, recovered: recovered))] + [told].compactMap { $0 }
      + [.deliver(appliance, Recovery(nothingUpTo: Self.start(of: subscription, reading)))]
  }

  /// Behind which event a client begins to listen that is not told its past. On a replica that lags behind another one, which the client saw more of, not
  /// before that; but what it saw counts only where it is of this life of the log.
  private static func start(of subscription: Subscription, _ reading: LogReading) -> EventID {
    let newest = (reading.state + (reading.history?.events ?? [])).compactMap(\.id).max() ?? .zero
    guard let since = subscription.since, since <= newest else { return subscription.position }
    return max(subscription.position, since)
  }

  /// The current status of an appliance that has never told one.
  static let statusOfTheSilent = "offline"

  mutating func delivered(_ appliance: ApplianceID, _ delivery: Delivery, now: Timestamp) -> [Action] {
    guard subscriptions[appliance]?.stage == .reading else { return [] }
    switch delivery {
    case .whole:
      subscriptions[appliance]?.stage = .established
      return finishRecovery(of: appliance, now: now)
    case .part(let known):
      subscriptions[appliance]?.known = known
      subscriptions[appliance]?.stage = .paused
      return []
    }
  }

  /// The client has taken everything that it was given.
  mutating func drained(now: Timestamp) -> [Action] {
    subscriptions.filter { $0.value.stage == .paused }.keys.sorted().flatMap { join($0, now: now) }
  }
}
