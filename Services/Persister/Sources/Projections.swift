import Models
import Store

/// What a batch of events changes in the rows that follow from them: commands and cooking sessions. Fed in the order of the log.
struct Projections: Sendable {
  private(set) var commands = CommandRows()
  private(set) var cooking = CookingRows()
  /// Events of a command or a session that do not say of which: they are among the events alone.
  private(set) var unprojectedCount = 0
  /// A cooker reports its progress every few seconds, and only the newest report counts: it waits here unread.
  private var progress: [ApplianceID: (event: Event, id: EventID)] = [:]

  /// - Parameter isLate: a newer event of its type had been stored before.
  mutating func append(_ event: Event, id: EventID, isLate: Bool) {
    switch event.type.rawValue {
    case "cooking:progress":
      if !isLate || progress[event.applianceID] == nil { progress[event.applianceID] = (event, id) }
    case "cooking:started", "cooking:stage_change", "cooking:complete", "cooking:error":
      flushProgress(of: event.applianceID)
      cook(event, id, isLate: isLate)
    case "command:requested", "command:sent", "command:acknowledged", "command:failed":
      flushProgress(of: event.applianceID)
      command(event)
    default: break
    }
  }

  /// To be called after the last event.
  mutating func finish() {
    for (event, id) in progress.values { cook(event, id, isLate: false) }
    progress = [:]
  }

  private mutating func flushProgress(of appliance: ApplianceID) {
    guard let (event, id) = progress.removeValue(forKey: appliance) else { return }
    cook(event, id, isLate: false)
  }

  private mutating func cook(_ event: Event, _ id: EventID, isLate: Bool) {
    guard let row = CookingSessionRow(event, receivedAt: id.receivedAt) else {
      unprojectedCount += 1
      return
    }
    if event.type.rawValue == "cooking:started" {
      // Who begins a session is done with the one before, unless this beginning is itself of the one before.
      if isLate {
        cooking.closeIfOvertaken(row.id, of: row.applianceID)
      } else {
        cooking.closeOpen(of: row.applianceID, sparing: row.id, CookingEnd(.abandoned, at: event.timestamp))
      }
    }
    cooking.append(row)
  }

  private mutating func command(_ event: Event) {
    guard let row = CommandRow(event) else {
      unprojectedCount += 1
      return
    }
    commands.append(row)
    if event.type == .commandAcknowledged, row.type.rawValue == "cooking:stop" {
      cooking.closeOpen(of: event.applianceID, CookingEnd(.stopped, at: event.timestamp))
    }
  }
}

/// The longest id of a command or a session that can be the key of a row, in bytes.
let projectedIDLengthMax = 128

extension JSONObject {
  /// The id of a row; nil if it is missing, empty or too long for one.
  func rowID(_ name: String) -> String? {
    string(name).flatMap { (1...projectedIDLengthMax).contains($0.utf8.count) ? $0 : nil }
  }
}

extension CommandRow {
  /// What an event `command:…` tells (SPEC, section 4); nil if it does not say of which command.
  init?(_ event: Event) {
    guard let data = try? JSONObject(parsing: event.data), let id = data.rowID("command_id"),
      let type = data.string("type").flatMap({ try? EventType($0) })
    else { return nil }
    self.init(applianceID: event.applianceID, id: id, type: type, issuedAt: event.timestamp)
    switch event.type {
    case .commandRequested:
      userID = data.string("user_id")
      self.data = data.object("data")?.bytes ?? Array("{}".utf8)
      expiresAt = data.string("expires_at").flatMap(Timestamp.init(iso8601:))
    case .commandSent: sentAt = event.timestamp
    case .commandAcknowledged: settlement = Settlement(.acknowledged, message: data.string("message"), at: event.timestamp)
    default: settlement = Settlement(.failed, code: data.string("code"), message: data.string("message"), at: event.timestamp)
    }
  }
}
