import ArgumentParser
import Models
import NIOHTTP1
import ServiceRuntime

struct Webhooks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists webhooks, and looks after them.",
    discussion:
      "Messages are signed by the Standard Webhooks specification; a receiver verifies them with its libraries and the webhook's secret.",
    subcommands: [
      ListWebhooks.self, AddWebhook.self, ChangeWebhook.self, RemoveWebhook.self, EnableWebhook.self, DisableWebhook.self,
      RotateWebhookSecret.self, TestWebhook.self,
    ], defaultSubcommand: ListWebhooks.self)
}

struct ListWebhooks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "One's own webhooks; an admin's, those of all.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(
      "/v1/webhooks", member: "webhooks",
      columns: [
        ("ID", "id"), ("NAME", "name"), ("OWNER", "owner_id"), ("ENABLED", "enabled"), ("BECAUSE", "disabled_because"),
        ("FAILING SINCE", "failing_since"), ("URL", "url"),
      ])
  }
}

/// What a webhook can be told, as `add` and `change` take it.
struct WebhookOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Only these event types, separated by commas; empty for all.", valueName: "types")) var types: String?
  @Option(help: ArgumentHelp("Only these appliances, separated by commas; empty for all.", valueName: "ids")) var appliances: String?
  @Option(help: ArgumentHelp("Attempts at a time, 1 to 64. With 1, messages keep their order.", valueName: "count")) var inFlight: Int?

  /// The members of a request, those that were given.
  func add(to body: inout [UInt8]) {
    if let types { Self.add("event_types", list: types, to: &body) }
    if let appliances { Self.add("appliance_ids", list: appliances, to: &body) }
    if let inFlight { body += Array(",\"in_flight_max\":\(inFlight)".utf8) }
  }

  private static func add(_ name: String, list: String, to body: inout [UInt8]) {
    let items = list.split(separator: ",").map { item in
      var text: [UInt8] = []
      text.append(json: String(item))
      return String(decoding: text, as: UTF8.self)
    }
    body += Array(",\"\(name)\":[\(items.joined(separator: ","))]".utf8)
  }
}

struct AddWebhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "add", abstract: "Adds a webhook, and shows its secret, this once.")

  @Argument(help: "A name, unique among the owner's.") var name: String
  @Argument(help: "Where messages go, an https:// address.") var url: String
  @Option(help: ArgumentHelp("Whose it is, for admins.", valueName: "user")) var owner: String?
  @OptionGroup var options: WebhookOptions
  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      var body = Array(JSONText.object([("name", name), ("url", url)] + (owner.map { [("owner_id", $0)] } ?? [])).dropLast())
      options.add(to: &body)
      let answer = try await WebhookAnswers.object(
        api.client().send(.POST, "/v1/webhooks", body: body + [UInt8(ascii: "}")]))
      if api.json { return _ = Console.write(EventLine.line(answer.bytes, .json)) }
      Console.say("webhook \(answer.object("webhook")?.cell("id") ?? "")")
      Console.say("secret  \(answer.cell("secret"))")
    }
  }
}

struct ChangeWebhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "change", abstract: "Changes what is given of a webhook.")

  @OptionGroup var target: WebhookTarget
  @Option(help: ArgumentHelp("Another name.", valueName: "name")) var name: String?
  @Option(help: ArgumentHelp("Another address.", valueName: "url")) var url: String?
  @OptionGroup var options: WebhookOptions

  func run() async throws {
    // Members follow each other by commas; the first one is no change.
    var body = Array(JSONText.object([("name", name), ("url", url)].compactMap { name, value in value.map { (name, $0) } }).dropLast())
    options.add(to: &body)
    if body.count > 1, body[1] == UInt8(ascii: ",") { body.remove(at: 1) }
    try await target.change(body + [UInt8(ascii: "}")])
  }
}

struct EnableWebhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "enable", abstract: "Goes on with a webhook and with what waits for it.")
  @OptionGroup var target: WebhookTarget
  func run() async throws { try await target.change(Array(#"{"enabled":true}"#.utf8)) }
}

struct DisableWebhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disable", abstract: "Stops a webhook; messages made meanwhile are not sent.")
  @OptionGroup var target: WebhookTarget
  func run() async throws { try await target.change(Array(#"{"enabled":false}"#.utf8)) }
}

struct RemoveWebhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Removes a webhook with what waits for it and what is known of its deliveries.")

  @OptionGroup var target: WebhookTarget

  func run() async throws {
    try await reporting {
      _ = try await target.api.client().send(.DELETE, target.path)
      if !target.api.json { Console.say("webhook \(target.id) is removed") }
    }
  }
}

struct RotateWebhookSecret: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate", abstract: "Makes a new secret, and shows it, this once.",
    discussion: "Messages are signed with those before too until the overlap ends, so that the receiver can be changed meanwhile.")

  @OptionGroup var target: WebhookTarget
  @Option(help: ArgumentHelp("How long earlier secrets go on signing, up to a week.", valueName: "seconds")) var overlap = 86_400

  func run() async throws {
    try await reporting {
      let answer = try await WebhookAnswers.object(
        target.api.client().send(.POST, target.path + "/secret", body: Array("{\"overlap_s\":\(overlap)}".utf8)))
      if target.api.json { return _ = Console.write(EventLine.line(answer.bytes, .json)) }
      Console.say("secret  \(answer.cell("secret"))")
    }
  }
}

struct TestWebhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Sends a message of type webhook.test, and tells what the receiver made of it.",
    discussion: "The exit status is 0 when the receiver took it.")

  @OptionGroup var target: WebhookTarget
  @Option(help: ArgumentHelp("How long to wait for the first attempt, 0 to 30.", valueName: "seconds")) var wait = 20

  func validate() throws {
    guard (0...30).contains(wait) else { throw ValidationError("--wait is \(wait): give a number of seconds from 0 to 30.") }
  }

  func run() async throws {
    try await reporting {
      let delivery = try await WebhookAnswers.object(target.api.client().send(.POST, target.path + "/test?wait=\(wait)"))
      try WebhookAnswers.show(delivery, json: target.api.json)
      guard delivery.string("state") == "delivered" || wait == 0 else { throw CommandStatus.failure }
    }
  }
}

/// One webhook, and the API that knows it.
struct WebhookTarget: ParsableArguments {
  @Argument(help: "The webhook's id.") var id: String
  @OptionGroup(title: "The API") var api: APIOptions

  var path: String { "/v1/webhooks/\(APIClient.escaped(id))" }

  func change(_ body: [UInt8]) async throws {
    try await reporting {
      let webhook = try await WebhookAnswers.object(api.client().send(.PATCH, path, body: body))
      if api.json { return _ = Console.write(EventLine.line(webhook.bytes, .json)) }
      let isEnabled = webhook.cell("enabled") == "true"
      Console.say(
        EventLine.visible("webhook \(webhook.cell("name")) goes to \(webhook.cell("url")), \(isEnabled ? "enabled" : "disabled")"))
    }
  }
}
