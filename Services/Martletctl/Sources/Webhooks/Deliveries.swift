import ArgumentParser
import Models
import NIOHTTP1
import ServiceRuntime

struct Deliveries: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what became of messages at a webhook, and sends them again.",
    subcommands: [ListDeliveries.self, ShowDelivery.self, RetryDelivery.self, ReplayDeliveries.self], defaultSubcommand: ListDeliveries.self
  )
}

struct ListDeliveries: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "A webhook's deliveries, newest first.")

  @OptionGroup var target: WebhookTarget
  @Option(help: "Only those that are pending, delivered or dead.") var state: String?
  @OptionGroup var limit: LimitOption

  func run() async throws {
    try await reporting {
      let listing = Listing(path: target.path + "/deliveries", member: "deliveries", query: [("state", state)], limit: limit.limit)
      if target.api.json { return try await listing.show(target.api.client(), json: true, columns: []) }
      var table = Table(["ID", "TYPE", "APPLIANCE", "STATE", "MADE", "ATTEMPTS", "LAST", "NEXT"])
      for delivery in try await listing.items(target.api.client()) {
        let attempts = WebhookAnswers.attempts(of: delivery)
        table.add([
          delivery.cell("id"), delivery.cell("type"), delivery.cell("appliance_id"), delivery.cell("state"), delivery.cell("created_at"),
          String(attempts.count), attempts.last.map(WebhookAnswers.outcome) ?? "", delivery.cell("due_at"),
        ])
      }
      for line in table.lines where !Console.say(line) { return }
    }
  }
}

struct ShowDelivery: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "One delivery with every attempt.")

  @OptionGroup var target: WebhookTarget
  @Argument(help: "The delivery's id.") var delivery: Int

  func run() async throws {
    try await reporting {
      let answer = try await target.api.client().get(target.path + "/deliveries/\(delivery)")
      try WebhookAnswers.show(answer, json: target.api.json)
    }
  }
}

struct RetryDelivery: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Tries one delivery again at once, under the same webhook-id.")

  @OptionGroup var target: WebhookTarget
  @Argument(help: "The delivery's id.") var delivery: Int

  func run() async throws {
    try await reporting {
      let answer = try await WebhookAnswers.object(target.api.client().send(.POST, target.path + "/deliveries/\(delivery)/retry"))
      try WebhookAnswers.show(answer, json: target.api.json)
    }
  }
}

struct ReplayDeliveries: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Tries again what was given up since a moment, under the same webhook-ids.")

  @OptionGroup var target: WebhookTarget
  @Option(help: ArgumentHelp("Messages made from this moment on, such as 2026-02-14T12:30:00Z.", valueName: "time")) var since: String
  @Option(help: ArgumentHelp("Messages made before this moment.", valueName: "time")) var until: String?
  @Flag(help: "Also what was delivered: for a receiver that has lost what it had.") var all = false

  func run() async throws {
    try await reporting {
      let client = try target.api.client()
      var (from, count): (String?, Int) = (since, 0)
      while let since = from {
        var body = Array(JSONText.object([("since", since)] + (until.map { [("until", $0)] } ?? [])).dropLast())
        body += Array(",\"include_delivered\":\(all)}".utf8)
        let answer = try await WebhookAnswers.object(client.send(.POST, target.path + "/replay", body: body))
        count += answer.number("replayed").map { Int($0) } ?? 0
        // One moment can hold more than one page; then there is nothing behind it to go on with.
        from = answer.string("next_since").flatMap { $0 == since ? nil : $0 }
      }
      Console.say(
        target.api.json ? "{\"replayed\":\(count)}" : count == 1 ? "1 delivery is due again" : "\(count) deliveries are due again")
    }
  }
}

/// What the API answers about webhooks, for people.
enum WebhookAnswers {
  static func object(_ bytes: [UInt8]) throws -> JSONObject {
    do { return try JSONObject(parsing: bytes) } catch { throw CommandError("The API's answer cannot be read: \(error).") }
  }

  static func attempts(of delivery: JSONObject) -> [JSONObject] {
    (delivery.elements("attempts") ?? []).compactMap { try? JSONObject(parsing: Array($0)) }
  }

  /// `200`, or `timeout`, or `status 503`.
  static func outcome(_ attempt: JSONObject) -> String {
    [attempt.cell("failure"), attempt.cell("status")].filter { !$0.isEmpty }.joined(separator: " ")
  }

  static func show(_ delivery: JSONObject, json: Bool) throws {
    if json { return _ = Console.write(EventLine.line(delivery.bytes, .json)) }
    Console.say(
      EventLine.visible(
        "\(delivery.cell("type")) \(delivery.cell("message_id")), delivery \(delivery.cell("id")): \(delivery.cell("state"))"))
    for attempt in attempts(of: delivery) {
      let detail = attempt.string("detail").map { ": \($0)" } ?? ""
      Console.say(
        EventLine.visible(
          "  \(attempt.cell("number")). \(attempt.cell("started_at")) \(outcome(attempt)) after \(attempt.cell("duration_ms")) ms\(detail)")
      )
    }
  }
}
