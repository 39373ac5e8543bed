import Foundation
import LocalStack
import MartletClient
import Synchronization
import Testing

/// The Swift client with real gateways that go away under it.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SwiftClientTests {
  private static let numbered = "EPIC-001"
  private static let cooker = "EPIC-002"

  @Test func `An app misses nothing and hears nothing twice while every gateway is killed and comes back, and its stop gets through`()
    async throws
  {
    try await Backbone.run(appliances: [Self.numbered, Self.cooker]) { backbone in
      let nginx = try backbone.stack.nginx
      let client = try MartletClient(url: "\(nginx.url)/ws", api: nginx.apiURL) { _ in backbone.token }
      try await backbone.stack.keepMartletctl(
        "cooker", ["simulate", "epicura", Self.cooker, "--waits", "--interval", "0.2", "--speed", "1", "--commands", "obey"])
      let (numbers, cooking, states) = (Mailbox(), Mailbox(), Mailbox())
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        group.addTask { for await state in await client.states { await states.append(.string(state.rawValue)) } }
        group.addTask { try await follow(client, numbers: numbers, cooking: cooking) }
        try await states.wait(for: "WebSocket") { $0.last == .string("websocket") ? () : nil }
        try await publish(0..<30, on: backbone)
        try await numbers.wait(for: "30 numbers") { $0.count >= 30 ? () : nil }
        try await cooking.wait(for: "cooker") { $0.contains(.string("online")) ? () : nil }
        #expect(try await steps(of: .cookingStart(recipeID: "recipe-dal-tadka"), client) == ["requested", "sent", "acknowledged"])
        for name in ["gateway-1", "gateway-2"] { try await backbone.stack.kill(name) }
        #expect(try await steps(of: .cookingStop, client).last == "acknowledged")
        try await publish(30..<60, on: backbone)
        try await states.wait(for: "polling") { $0.last == .string("polling") ? () : nil }
        try await numbers.wait(for: "60 numbers") { $0.count >= 60 ? () : nil }
        for name in ["gateway-1", "gateway-2"] { try await backbone.stack.start(name) }
        try await publish(60..<90, on: backbone)
        try await states.wait(for: "return") { $0.last == .string("websocket") ? () : nil }
        try await publish(90..<100, on: backbone)
        try await numbers.wait(for: "100 numbers") { $0.count >= 100 ? () : nil }
        #expect(await numbers.messages == (0..<100).map { .number(Decimal($0)) })
        group.cancelAll()
        try await group.waitForAll()
      }
    }
  }

  @Test func `A stop goes its way by the API while every gateway stands still, and the connection is given up without a ping's turn`()
    async throws
  {
    try await Backbone.run(appliances: [Self.cooker]) { backbone in
      try await cook(backbone, at: "127.0.0.1:\(backbone.stack.nginx.port)", without: [.ping]) { client, states in
        for name in ["gateway-1", "gateway-2"] { try await backbone.stack.pause(name) }
        #expect(try await steps(of: .cookingStop, client).last == "acknowledged")
        try await states.wait(for: "giving up") { $0.count { $0 == .string("connecting") } == 2 ? () : nil }
        for name in ["gateway-1", "gateway-2"] { try await backbone.stack.resume(name) }
        try await states.wait(for: "return") { $0.last == .string("websocket") ? () : nil }
        // What stands still already is stopped again.
        #expect(try await steps(of: .cookingStop, client).last == "acknowledged")
      }
      let open = "SELECT count(*) FROM commands WHERE type = 'cooking:stop' AND state <> 'acknowledged'"
      try await backbone.waitForRow("0", open)
    }
  }

  @Test func `A stop goes by a new connection at its first try when all that are kept are gone without a word`() async throws {
    try await Backbone.run(appliances: [Self.cooker], gateways: 1) { backbone in
      try await Relay.run(to: "127.0.0.1", backbone.stack.nginx.port) { relay in
        try await cook(backbone, at: relay.address, without: [.ping, .again]) { client, states in
          // The API keeps this one's connection.
          let refusal = await #expect(throws: CommandError.self) {
            try await client.send(MartletCommand(type: "fan:start"), to: Self.cooker)
          }
          #expect(refusal?.code == .invalidCommand)
          relay.fallSilent()
          #expect(try await steps(of: .cookingStop, client).last == "acknowledged")
          try await states.wait(for: "return") { $0.suffix(2) == [.string("connecting"), .string("websocket")] && $0.count > 2 ? () : nil }
        }
      }
    }
  }

  /// Runs `body` with a client that has started a cooker, and whose waits of some kinds never end.
  private func cook(
    _ backbone: Backbone, at address: String, without never: Set<TimerName>,
    _ body: @escaping @Sendable (MartletClient, Mailbox) async throws -> Void
  ) async throws {
    let timing = Timing(
      sleep: { duration, timer in try await Task.sleep(for: never.contains(timer) ? .seconds(3600) : duration) },
      now: Timing.system.now, random: Timing.system.random)
    let client = try MartletClient(
      url: "ws://\(address)/ws", api: "http://\(address)/api", token: { _ in backbone.token }, timing: timing, onProblem: { _ in })
    try await backbone.stack.keepMartletctl(
      "cooker", ["simulate", "epicura", Self.cooker, "--waits", "--interval", "0.2", "--speed", "1", "--commands", "obey"])
    try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = 'appliance:status' AND data->>'status' = 'online'")
    let states = Mailbox()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await client.run() }
      group.addTask { for await state in await client.states { await states.append(.string(state.rawValue)) } }
      try await states.wait(for: "WebSocket") { $0.last == .string("websocket") ? () : nil }
      #expect(try await steps(of: .cookingStart(recipeID: "recipe-dal-tadka"), client).last == "acknowledged")
      try await body(client, states)
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  private func follow(_ client: MartletClient, numbers: Mailbox, cooking: Mailbox) async throws {
    for try await event in await client.events(of: [Self.numbered, Self.cooker]) {
      switch event.content {
      case .cookingStageChange where event.applianceID == Self.numbered:
        await numbers.append(try JSON(String(decoding: event.data, as: UTF8.self))["n"] ?? .null)
      case .applianceStatus(let status) where event.applianceID == Self.cooker: await cooking.append(.string(status.status ?? ""))
      default: break
      }
    }
  }

  /// How far a command came.
  private func steps(of command: MartletCommand, _ client: MartletClient) async throws -> [String] {
    let (steps, step) = AsyncStream.makeStream(of: String.self)
    try await client.send(command, to: Self.cooker) { step.yield($0.rawValue) }
    step.finish()
    return await steps.reduce(into: []) { $0.append($1) }
  }

  private func publish(_ numbers: Range<Int>, on backbone: Backbone) async throws {
    let lines = numbers.map { #"{"n":\#($0)}"# + "\n" }.joined()
    try await backbone.stack.mosquitto.publish(
      "-q", "1", "-t", "epicura/\(Self.numbered)/session/stage_change", "-l", input: lines, limit: .seconds(60))
  }

  @Test func `A login gives tokens, renews them once for all who ask, and ends`() async throws {
    try await Backbone.run(appliances: [Self.cooker], gateways: 1) { backbone in
      let folder = backbone.stack.folder.path
      try "a password of alice".write(toFile: "\(folder)/alice.password", atomically: true, encoding: .utf8)
      let accounts = "users:\n  - {id: \(Backbone.user), password_file: alice.password}\n"
      try accounts.write(toFile: "\(folder)/passwords.yaml", atomically: true, encoding: .utf8)
      try await backbone.stack.martletctl("apply", "\(folder)/passwords.yaml")

      let kept = Mutex<[Login.Tokens?]>([])
      let login = try Login(api: backbone.stack.nginx.apiURL) { tokens in kept.withLock { $0.append(tokens) } }
      await #expect(throws: SignedOut.self) { try await login.token(renew: false) }
      let refusal = await #expect(throws: APIError.self) { try await login.signIn(user: Backbone.user, password: "another one") }
      #expect(refusal?.code == "invalid_credentials")

      try await login.signIn(user: Backbone.user, password: "a password of alice")
      let first = try await login.token(renew: false)
      // With one refresh token twice, the whole login would be over.
      async let one = login.token(renew: true)
      async let other = login.token(renew: true)
      #expect(try await ![one, other].contains(first))
      let last = try await login.token(renew: false)
      try await connect(backbone, login)

      // As after a restart of the app: the refresh token is the newest.
      let again = try Login(api: backbone.stack.nginx.apiURL, tokens: kept.withLock { $0.last ?? nil })
      #expect(await again.userID == Backbone.user)
      #expect(try await again.token(renew: true) != last)
      await login.signOut()
      await #expect(throws: SignedOut.self) { try await login.token(renew: false) }
      #expect(kept.withLock { $0.last } == .some(nil))
    }
  }

  /// A client with this login comes to its WebSocket.
  private func connect(_ backbone: Backbone, _ login: Login) async throws {
    let nginx = try backbone.stack.nginx
    let client = try MartletClient(url: "\(nginx.url)/ws", api: nginx.apiURL) { renew in try await login.token(renew: renew) }
    async let _: Void = client.run()
    for await state in await client.states where state != .connecting {
      #expect(state == .websocket)
      break
    }
  }

  @Test func `The example sends a command and tells its outcome`() async throws {
    try await Backbone.run(appliances: [Self.cooker], gateways: 1) { backbone in
      let nginx = try backbone.stack.nginx
      let program = "\(backbone.stack.configuration.executables)/AnyApp"
      let arguments = [program, "\(nginx.url)/ws", nginx.apiURL, Self.cooker]
      try await backbone.stack.keepMartletctl(
        "cooker", ["simulate", "epicura", Self.cooker, "--waits", "--interval", "0.2", "--speed", "1", "--commands", "obey"])
      try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = 'appliance:status' AND data->>'status' = 'online'")
      let told = try await Tool.run(arguments + ["cooking:stop"], environment: ["TOKEN": backbone.token])
      let lines = told.split(separator: "\n")
      #expect(lines.first == "requested" && lines.suffix(2) == ["acknowledged", "done"], "\(lines)")
    }
  }
}
