import Models
import PostgresClient
import RuleEvaluation
import Store

/// Effects as rows: firings, alarms, and what the outbox is to tell. Written in the transaction that moves the cursor.
struct EffectRows: Sendable {
  private let effects: [Effect]
  private let edition: RuleBook.Edition

  init(_ effects: [Effect], _ edition: RuleBook.Edition) { (self.effects, self.edition) = (effects, edition) }

  func write(in session: PostgresSession) throws {
    var firings: [(firing: Firing, severity: Severity)] = []
    var messages: [RuleOutbox.Message] = []
    var alarms = AlarmChanges()
    for effect in effects {
      switch effect {
      case .rule(.fired(let firing)):
        guard let rule = edition.byID[firing.ruleID] else { continue }
        firings.append((firing, rule.severity))
        messages += firing.messages(rule)
        if rule.actions.alarm { alarms.raise(firing.raising(rule)) }
      case .rule(.cleared(let clearing)):
        alarms.clear(
          AlarmRows.Name(clearing.applianceID, rule: clearing.ruleID), because: clearing.reason == .recovered ? .recovered : .ruleChanged,
          at: clearing.at)
      case .device(let device, let at):
        if device.isActive {
          alarms.raise(AlarmRows.Raising(device.alarm, name: device.name, severity: device.severity, at: at))
        } else {
          alarms.clear(device.alarm, because: .device, at: at)
        }
      }
    }
    try FiringRows.record(firings, in: session)
    messages += try alarms.write(in: session)
    try RuleOutbox.append(messages, in: session)
  }
}

/// What becomes of alarms in one transaction, in order. Raisings of one alarm with no clearing between them are one, counted.
private struct AlarmChanges {
  private enum Change {
    case raise(AlarmRows.Raising)
    case clear(AlarmRows.Name, AlarmRows.ClearReason, Timestamp)
  }

  private var changes: [Change] = []
  /// Where the last raising of an alarm stands that nothing has cleared.
  private var raised: [AlarmRows.Name: Int] = [:]

  mutating func raise(_ raising: AlarmRows.Raising) {
    guard let place = raised[raising.alarm], case .raise(let earlier) = changes[place] else {
      raised[raising.alarm] = changes.count
      changes.append(.raise(raising))
      return
    }
    var raising = raising
    raising.count += earlier.count
    raising.firstAt = earlier.firstAt
    changes[place] = .raise(raising)
  }

  mutating func clear(_ alarm: AlarmRows.Name, because reason: AlarmRows.ClearReason, at time: Timestamp) {
    raised[alarm] = nil
    changes.append(.clear(alarm, reason, time))
  }

  /// - Returns: what there is to tell of it.
  func write(in session: PostgresSession) throws -> [RuleOutbox.Message] {
    try changes.compactMap { change in
      switch change {
      case .raise(let raising):
        let (alarm, isNew) = try AlarmRows.raise(raising, in: session)
        return alarm.message(isNew ? .alarmRaised : .alarmUpdated, at: raising.at)
      case .clear(let name, let reason, let time):
        return try AlarmRows.clear(name, because: reason, at: time, in: session)?.message(.alarmCleared, at: time)
      }
    }
  }
}

extension Firing {
  fileprivate func raising(_ rule: Rule) -> AlarmRows.Raising {
    AlarmRows.Raising(
      AlarmRows.Name(applianceID, rule: rule.id), name: rule.name, severity: rule.severity, metric: metric, value: value, at: at)
  }

  /// The command first: it may be a stop.
  fileprivate func messages(_ rule: Rule) -> [RuleOutbox.Message] {
    var messages: [RuleOutbox.Message] = []
    if let order = rule.actions.command {
      messages.append(RuleOutbox.Message(order.type, of: applianceID, data: order.data, at: at, as: .command(sender: "rule:\(rule.id)")))
    }
    if rule.actions.event { messages.append(message(rule)) }
    return messages
  }
}
