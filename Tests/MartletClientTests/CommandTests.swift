import Foundation
import Models
import Testing

@testable import MartletClient

/// Commands where the scripts do not go.
@Suite struct CommandTests {
  private func client() throws -> MartletClient { try MartletClient(url: "ws://127.0.0.1:9/ws") }

  @Test func `A start has the document's form`() {
    let command = MartletCommand.cookingStart(recipeID: "a \"b\"", spiceLevel: 4, servings: 2)
    let text = String(decoding: command.data ?? Data(), as: UTF8.self)
    #expect(text == #"{"recipe_id":"a \"b\"","customizations":{"spice_level":4,"servings":2}}"#)
  }

  @Test func `Without a connection and an API a command fails at once`() async throws {
    let client = try client()
    let error = await #expect(throws: CommandError.self) { try await client.send(.cookingStop, to: "EPIC-001") }
    #expect(error?.code == .notConnected)
  }

  @Test func `What cannot be sent is refused here`() async throws {
    let client = try client()
    for (command, appliance) in [
      (MartletCommand.cookingStop, "no such id"), (MartletCommand(type: "no type"), "A"),
      (MartletCommand(type: "cooking:start", data: Data("[1]".utf8)), "A"), (MartletCommand(type: "x", data: Data("{}}".utf8)), "A"),
    ] {
      let error = await #expect(throws: CommandError.self) { try await client.send(command, to: appliance) }
      #expect(error?.code == .invalidCommand)
    }
  }

  @Test func `Too many open commands are refused, a stop never`() throws {
    var open = OpenCommands()
    let appliance = try ApplianceID("A")
    let added = (0..<OpenCommands.countMax).map { open.add(.cookingPause, requestID: "\($0)", to: appliance, isByAPI: false) }
    let more = open.add(.cookingPause, requestID: "more", to: appliance, isByAPI: false)
    let stop = open.add(.cookingStop, requestID: "stop", to: appliance, isByAPI: false)
    #expect(added.allSatisfy { $0 } && !more && stop)
    let told = open.connectionLost(hasAPI: true)
    #expect(told.first == OpenCommands.Told(requestID: "stop", news: .unheard) && told.count == OpenCommands.countMax + 1)
    #expect(open.isOpen("stop") && !open.isOpen("0"))
  }

  @Test func `What is told late takes no command back`() throws {
    var open = OpenCommands()
    _ = open.add(.emergencyStop, requestID: "r", to: try ApplianceID("A"), isByAPI: true)
    var told = open.identified("r", "c")
    let sent = try #require(
      ServerFrame(parsing: Array(#"{"type":"command:sent","appliance_id":"A","data":{"command_id":"c"},"id":"1-0"}"#.utf8)))
    told += open.take(sent) + open.identified("r", "c") + open.take(sent)
    #expect(told.map(\.news) == [.step(.requested), .step(.sent)])
  }

  @Test func `Addresses that are none are told`() {
    for (url, api) in [("https://a/ws", nil), ("wss://", nil), ("wss://user:secret@a/ws", nil), ("ws://a/ws", "ws://a/api")] {
      let error = #expect(throws: MartletError.self) { try MartletClient(url: url, api: api) }
      #expect(error?.code == .configuration)
      #expect(error?.message.contains("secret") == false)
    }
    let error = #expect(throws: MartletError.self) { try MartletClient(url: "wss://a/ws", authorities: "/nowhere.pem") }
    #expect(error?.message.contains("/nowhere.pem") == true)
  }

  @Test func `A sequence of no appliance ends, and one of an impossible name says so`() async throws {
    let client = try client()
    var told: [String] = []
    for try await event in await client.events(of: ["no such id"]) {
      if case .lost(let lost) = event.content { told.append(lost.code) }
    }
    #expect(told == ["APPLIANCE_NOT_FOUND"])
    for try await _ in await client.events(of: []) { told.append("more") }
    #expect(told.count == 1)
  }

  @Test func `One task runs a client, and its cancellation ends the sequences`() async throws {
    let (failures, failed) = AsyncStream.makeStream(of: Void.self)
    let timing = Timing(
      sleep: { _, timer in
        if timer == .retry { failed.yield() }
        try await Task.sleep(for: .seconds(60))
      }, now: { .zero }, random: { 1 })
    let client = try MartletClient(url: "ws://127.0.0.1:9/ws", api: nil, token: nil, timing: timing) { _ in }
    let events = await client.events(of: ["EPIC-001"])
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await client.run() }
      // There is nobody: the first attempt has failed.
      for await _ in failures { break }
      let error = await #expect(throws: MartletError.self) { try await client.run() }
      #expect(error?.code == .alreadyRunning)
      group.cancelAll()
      for try await _ in events {}
      try await group.waitForAll()
    }
    #expect(await client.state == .closed)
  }
}
