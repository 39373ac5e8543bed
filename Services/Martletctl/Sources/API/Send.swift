import ArgumentParser
import Models
import NIOHTTP1
import ServiceRuntime

struct Send: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends a command to an appliance and waits for its outcome.",
    discussion: """
      Such as: martletctl send EPIC-001 cooking:start --data '{"recipe_id":"recipe-uuid-001"}'

      The exit status is 0 when the appliance acknowledged it, or when it is on its way and --wait is 0; else 1.
      """)

  @Argument(help: "The appliance's id.") var appliance: String
  @Argument(help: "The command, such as cooking:stop.") var command: String

  @Option(help: ArgumentHelp("What the command wants, a JSON object.", valueName: "json")) var data: String?
  @Option(help: ArgumentHelp("How long to wait for the outcome, 0 to 30.", valueName: "seconds")) var wait = 15

  @OptionGroup(title: "The API") var api: APIOptions

  func validate() throws {
    guard (0...30).contains(wait) else { throw ValidationError("--wait is \(wait): give a number of seconds from 0 to 30.") }
    guard let data else { return }
    do { _ = try JSONObject(parsing: Array(data.utf8)) } catch { throw ValidationError("--data is no JSON object: \(error).") }
  }

  func run() async throws {
    try await reporting {
      let client = try api.client()
      var body = JSONText.object([("type", command)])
      if let data { body = body.dropLast() + Array(",\"data\":\(data)}".utf8) }
      let answer = try await client.send(.POST, "/v1/appliances/\(APIClient.escaped(appliance))/commands?wait=\(wait)", body: body)
      let command: JSONObject
      do { command = try JSONObject(parsing: answer) } catch { throw CommandError("The API's answer cannot be read: \(error).") }
      let state = command.string("state") ?? "?"
      if api.json {
        _ = Console.write(EventLine.line(command.bytes, .json))
      } else {
        let why = [command.string("code"), command.string("message")].compactMap { $0 }.joined(separator: ": ")
        Console.say(
          EventLine.visible(
            "\(command.string("type") ?? "") \(command.string("command_id") ?? ""): \(state)" + (why.isEmpty ? "" : " (\(why))")))
      }
      guard state == "acknowledged" || (wait == 0 && state != "failed") else { throw CommandStatus.failure }
    }
  }
}
