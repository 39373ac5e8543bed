import Foundation
import Subprocess

/// An app: a WebSocket client that is none of ours (Python `websockets`), as a child process.
struct Subscriber: Sendable {
  let mailbox = Mailbox()

  /// Connects, subscribes, and runs `body` once every subscription is confirmed. Ends the client afterwards.
  ///
  /// - Parameters:
  ///   - types: only messages of these types reach the mailbox, besides `subscribed`, `authenticated` and errors; empty for all.
  ///   - renewal: a file in which another token appears, to renew the first one by.
  static func run(
    _ url: String, token: String, appliances: [String], types: [String] = [], renewal: String = "",
    _ body: @escaping @Sendable (Subscriber) async throws -> Void
  ) async throws {
    let wanted = types.isEmpty ? "" : (types + ["subscribed", "authenticated", "error", "test:closed"]).joined(separator: ",")
    try await run(
      "subscriber.py", [url] + appliances, environment: ["TOKEN": token, "TYPES": wanted, "RENEWAL": renewal],
      isReady: { messages in messages.count { $0["type"]?.string == "subscribed" } == appliances.count }, body)
  }

  /// A console of the OHT-50 dialect: says these messages once it is connected, the word `TOKEN` in them replaced, and runs `body` when it has heard as many answers of type `subscribed` as it subscribes.
  static func console(
    _ url: String, token: String, _ messages: [String], _ body: @escaping @Sendable (Subscriber) async throws -> Void
  ) async throws {
    let subscriptions = messages.count { $0.contains(#""subscribe""#) }
    try await run(
      "console.py", [url] + messages, environment: ["TOKEN": token],
      isReady: { messages in messages.count { $0["type"]?.string == "subscribed" } == subscriptions }, body)
  }

  private static func run(
    _ program: String, _ arguments: [String], environment: [String: String], isReady: @escaping @Sendable ([JSON]) -> Bool,
    _ body: @escaping @Sendable (Subscriber) async throws -> Void
  ) async throws {
    let subscriber = Subscriber()
    let variables = Dictionary(
      uniqueKeysWithValues: environment.compactMap { name, value in Environment.Key(rawValue: name).map { ($0, value) } })
    enum Ended { case client, body }
    try await withThrowingTaskGroup(of: Ended.self) { group in
      group.addTask {
        _ = try await Subprocess.run(
          .name("env"), arguments: Arguments(["/usr/bin/python3", try Clients.path(program)] + arguments),
          environment: .inherit.updating(variables.mapValues(Optional.some)), input: .none, output: .sequence,
          error: .currentStandardError
        ) { execution in
          for try await line in execution.standardOutput.strings() { await subscriber.mailbox.append(try JSON(line)) }
        }
        return .client
      }
      group.addTask {
        try await subscriber.mailbox.wait(for: "subscription") { isReady($0) ? () : nil }
        try await body(subscriber)
        return .body
      }
      // A client that leaves early says why in the mailbox; the body's end is what counts.
      while let ended = try await group.next() {
        if ended == .body { group.cancelAll() }
      }
    }
  }

  /// Waits for an event, and returns it.
  func event(_ type: String, where matches: @escaping @Sendable (JSON) -> Bool = { _ in true }) async throws -> JSON {
    try await mailbox.wait(for: type) { messages in messages.first { $0["type"]?.string == type && matches($0) } }
  }
}

/// The programs that stand in for apps.
enum Clients {
  static func path(_ name: String) throws -> String {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Clients/\(name)").path(percentEncoded: false)
  }
}
