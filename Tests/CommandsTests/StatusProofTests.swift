import EventLog
import Models
import Testing

@testable import Commands

@Suite struct `What a heater's status proves` {
  private let module: ApplianceID
  private let now = Timestamp(microseconds: 1_772_226_910_000_000)

  init() throws { module = try ApplianceID("PickleHeat.Heater") }

  /// The commands that are acknowledged behind a status with this setpoint.
  private func acknowledged(
    _ setpoint: String, _ asked: KeyValuePairs<String, (command: ReefnetCommand, data: String)>, areSent: Bool = true
  ) throws -> [String] {
    let data = #"{"payload":{"subsystems":[{"key":"heater","state":"idle","setpoints":{"setpoint_c":\#(setpoint)}}]}}"#
    let status = Event(type: .reefnetStatus, applianceID: module, timestamp: now, data: Array(data.utf8))
    let commands = asked.map { id, asked in
      Command(
        id: id, applianceID: module, type: asked.command.type, issuedAt: now, expiresAt: now + .seconds(10), data: Array(asked.data.utf8))
    }
    let open = commands.map {
      OpenCommand(id: $0.id, applianceID: module, type: $0.type, expiresAt: $0.expiresAt, isUrgent: false, isSent: areSent)
    }
    let entries = StatusProof.entries(
      in: LogEntry(.event(status), order: now), open: [module: open], asked: Dictionary(uniqueKeysWithValues: commands.map { ($0.id, $0) }))
    return entries.compactMap { entry in
      guard case .event(let event) = entry.content, event.type == .commandAcknowledged else { return nil }
      return (try? JSONObject(parsing: event.data))?.string("command_id")
    }
  }

  @Test func `a small change is acknowledged by the status that shows it, and by none before`() throws {
    let asked: KeyValuePairs = ["c-1": (command: ReefnetCommand.setParam, data: #"{"param":"setpoint_c","value":25.04}"#)]
    for before in ["25", "25.0", "25.03", "25.05"] { #expect(try acknowledged(before, asked) == [], "\(before)") }
    // As it was asked for, as single precision has it, and not before it was sent.
    for after in ["25.04", "25.040000916", "25.0400"] { #expect(try acknowledged(after, asked) == ["c-1"], "\(after)") }
    #expect(try acknowledged("25.04", asked, areSent: false) == [])
  }

  @Test func `what no module knows is shown by no status, and whoever asks for one is answered by any`() throws {
    let asked: KeyValuePairs = [
      "c-1": (command: ReefnetCommand.setParam, data: #"{"parameters":{"fan_speed":3}}"#),
      "c-2": (command: ReefnetCommand.setParam, data: #"{"parameters":{"fan_speed":3,"setpoint_c":25}}"#),
      "c-3": (command: ReefnetCommand.ping, data: "{}"),
    ]
    #expect(try acknowledged("25.0", asked) == ["c-2", "c-3"])
    #expect(try acknowledged("26.0", asked) == ["c-3"])
  }
}
