package import Models

/// What a rule would have done in a stretch of time: its firings, and the alarms that would have stood. Pure.
package struct ReplayOutcome: Sendable {
  package struct Alarm: Hashable, Sendable {
    package let applianceID: ApplianceID
    /// Before the stretch of time, where it stood already.
    package let raisedAt: Timestamp
    package fileprivate(set) var raisedCount = 0
    /// Nil for one that would be open.
    package fileprivate(set) var clearedAt: Timestamp?
  }

  /// What happened before is not told, but counts.
  private let from: Timestamp
  package private(set) var firings: [Firing] = []
  package private(set) var alarms: [Alarm] = []

  package init(from: Timestamp) { self.from = from }

  /// Adds what happened at one appliance, in order.
  package mutating func add(_ effects: [RuleEffect]) {
    var open: Alarm?
    for effect in effects {
      switch effect {
      case .fired(let firing):
        if firing.at >= from { firings.append(firing) }
        if open == nil { open = Alarm(applianceID: firing.applianceID, raisedAt: firing.at) }
        open?.raisedCount += 1
      case .cleared(let clearing):
        open?.clearedAt = clearing.at
        close(&open)
      }
    }
    close(&open)
  }

  private mutating func close(_ alarm: inout Alarm?) {
    if let alarm, alarm.clearedAt.map({ $0 >= from }) ?? true { alarms.append(alarm) }
    alarm = nil
  }

  /// The firings and the alarms of all appliances by their times.
  package var ordered: (firings: [Firing], alarms: [Alarm]) {
    (
      firings.enumerated().sorted {
        ($0.element.at, $0.element.applianceID, $0.offset) < ($1.element.at, $1.element.applianceID, $1.offset)
      }
      .map(\.element), alarms.sorted { ($0.raisedAt, $0.applianceID) < ($1.raisedAt, $1.applianceID) }
    )
  }
}
