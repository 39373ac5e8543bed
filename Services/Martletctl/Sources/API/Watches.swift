import ArgumentParser
import Foundation
import Models
import NIOHTTP1
import ServiceRuntime

struct Watches: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists who watches or watched a camera, newest first; without one, those of all cameras, for admins.")

  enum State: String, ExpressibleByArgument, CaseIterable { case open, ended }

  @Argument(help: "The camera's id.") var camera: String?
  @Option(help: "Only those that go on (open), or only those that are over (ended).") var state: State?

  @OptionGroup var list: ListOptions

  func run() async throws {
    let path = camera.map { "/v1/appliances/\(APIClient.escaped($0))/watches" } ?? "/v1/watches"
    try await list.show(
      path, member: "watches", query: [("state", state?.rawValue)],
      columns: [
        ("SESSION", "session_id"), ("CAMERA", "appliance_id"), ("USER", "user_id"), ("STARTED", "started_at"), ("ENDED", "ended_at"),
        ("REASON", "reason"), ("ENDED BY", "end_requested_by"),
      ])
  }
}

struct EndWatch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "end-watch", abstract: "Ends a watch session: one's own, or any of one's own camera, or any for admins.")

  @Argument(help: "The camera's id.") var camera: String
  @Argument(help: "The session's id.") var session: String

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let answer = try await api.client().send(
        .DELETE, "/v1/appliances/\(APIClient.escaped(camera))/watches/\(APIClient.escaped(session))")
      if api.json {
        _ = Console.write(EventLine.line(answer, .json))
      } else {
        let reason = (try? JSONObject(parsing: answer))?.string("reason")
        Console.say(reason.map { "the session is over already: \(EventLine.visible($0))" } ?? "the session is being ended")
      }
    }
  }
}

struct Presence: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Tells whether a camera is connected, and what it last said of itself.")

  @Argument(help: "The camera's id.") var camera: String

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let presence = try await api.client().get("/v1/appliances/\(APIClient.escaped(camera))/presence")
      guard !api.json else {
        _ = Console.write(EventLine.line(presence.bytes, .json))
        return
      }
      let since = presence.string("connected_since")
      Console.say(since.map { "connected since \(EventLine.visible($0))" } ?? "not connected")
      if let age = presence.number("data_age_s") {
        Console.say("said \(Int(age)) s ago: \(EventLine.visible(presence.cell("data")))")
      } else {
        Console.say("has not said anything of itself for a day")
      }
    }
  }
}
