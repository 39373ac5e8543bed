import ArgumentParser
import Models
import NIOHTTP1
import ServiceRuntime

struct Alarms: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists alarms, newest first: those of an appliance, or of all that one may see.")

  @Argument(help: "The appliance's id; all when left out.") var appliance: String?
  @Flag(help: "Those that are over too.") var all = false

  @OptionGroup var list: ListOptions

  func run() async throws {
    let path = appliance.map { "/v1/appliances/\(APIClient.escaped($0))/alarms" } ?? "/v1/alarms"
    try await list.show(
      path, member: "alarms", query: [("state", all ? nil : "open")],
      columns: [
        ("ALARM", "alarm_id"), ("APPLIANCE", "appliance_id"), ("SOURCE", "source"), ("SEVERITY", "severity"), ("NAME", "name"),
        ("VALUE", "value"), ("COUNT", "raised_count"), ("RAISED", "raised_at"), ("SEEN BY", "acknowledged_by"), ("CLEARED", "cleared_at"),
      ])
  }
}

struct Acknowledge: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Says that one has seen an alarm.")

  @Argument(help: "The appliance's id.") var appliance: String
  @Argument(help: "The alarm's number, as `alarms` shows it.") var alarm: Int64

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let answer = try await api.client().send(
        .POST, "/v1/appliances/\(APIClient.escaped(appliance))/alarms/\(alarm)/acknowledge")
      guard !api.json else {
        _ = Console.write(EventLine.line(answer, .json))
        return
      }
      let alarm = try? JSONObject(parsing: answer)
      Console.say("alarm \(self.alarm) is acknowledged by \(EventLine.visible(alarm?.string("acknowledged_by") ?? "?"))")
    }
  }
}

struct Firings: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists what rules have fired at an appliance, newest first.")

  @Argument(help: "The appliance's id.") var appliance: String
  @Option(help: "Only this rule's.") var rule: String?
  @Option(help: ArgumentHelp("From this moment on, such as 2026-02-14T12:30:00Z.", valueName: "time")) var from: String?
  @Option(help: ArgumentHelp("Up to this moment.", valueName: "time")) var to: String?

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(
      "/v1/appliances/\(APIClient.escaped(appliance))/firings", member: "firings", query: [("rule_id", rule), ("from", from), ("to", to)],
      columns: [("FIRED", "fired_at"), ("RULE", "rule_id"), ("SEVERITY", "severity"), ("METRIC", "metric"), ("VALUE", "value")])
  }
}
