import EventLog
import Models

/// The commands that one lane has in hand: of each appliance one at a time, in their order, so that a pause is not overtaken by its resume. Pure.
struct LaneSchedule {
  private let countMax: Int
  /// The first of each line is being sent.
  private var lines: [ApplianceID: [QueuedCommand]] = [:]

  init(countMax: Int) { self.countMax = countMax }

  /// How many more may be taken.
  var room: Int { countMax - lines.values.reduce(0) { $0 + $1.count } }
  var all: [QueuedCommand] { lines.values.flatMap { $0 } }

  /// - Returns: whether it is to be sent at once.
  mutating func add(_ queued: QueuedCommand) -> Bool {
    let line = lines[queued.command.applianceID, default: []]
    // One that was not kept in time is handed out again, to us too.
    guard !line.contains(where: { $0.command.id == queued.command.id }) else { return false }
    lines[queued.command.applianceID] = line + [queued]
    return line.isEmpty
  }

  /// - Returns: what is to be sent next to the same appliance.
  mutating func finish(_ queued: QueuedCommand) -> QueuedCommand? {
    let line = Array(lines[queued.command.applianceID, default: []].dropFirst())
    lines[queued.command.applianceID] = line.isEmpty ? nil : line
    return line.first
  }
}
