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
    let added = (0..<OpenCommands.countMax).map { open.add(.cookingPause, requestID: "\($0)", to: appliance, over: 1) }
    let more = open.add(.cookingPause, requestID: "more", to: appliance, over: 1)
    let stop = open.add(.cookingStop, requestID: "stop", to: appliance, over: 1)
    #expect(added.allSatisfy { $0 } && !more && stop)
    let told = open.connectionLost(hasAPI: true)
    #expect(told.first == OpenCommands.Told(requestID: "stop", news: .unheard) && told.count == OpenCommands.countMax + 1)
    let again = open.connectionLost(hasAPI: true)
    #expect(again.isEmpty)
    #expect(open.isUnnamed("stop") && !open.isUnnamed("0"))
  }

  @Test func `What is told late takes no command back`() throws {
    var open = OpenCommands()
    _ = open.add(.emergencyStop, requestID: "r", to: try ApplianceID("A"), over: nil)
    let requested = try record("c", "requested")
    var told = open.take(requested, of: "r")
    let sent = try frame(#"{"type":"command:sent","appliance_id":"A","data":{"command_id":"c"},"id":"1-0"}"#)
    told += open.take(sent) + open.take(requested, of: "r") + open.take(sent)
    #expect(told.map(\.news) == [.step(.requested), .step(.sent)])
  }

  private func record(_ id: String, _ state: String) throws -> JSONObject {
    try JSONObject(parsing: Array(#"{"command_id":"\#(id)","state":"\#(state)","code":"COMMAND_TIMEOUT","message":"No answer"}"#.utf8))
  }

  private func frame(_ text: String) throws -> ServerFrame { try #require(ServerFrame(parsing: Array(text.utf8))) }

  /// A stop that went over the connection, and then by the API.
  private func stopInBothWays() throws -> OpenCommands {
    var open = OpenCommands()
    _ = open.add(.cookingStop, requestID: "r", to: try ApplianceID("A"), over: 1)
    let told = open.rescue("r") + open.rescue("r")
    #expect(told.map(\.news) == [.unheard])
    return open
  }

  private func requested(_ id: String) throws -> ServerFrame {
    try frame(#"{"type":"command:requested","appliance_id":"A","data":{"command_id":"\#(id)","request_id":"r"},"id":"1-0"}"#)
  }

  private func failed(_ id: String) throws -> ServerFrame {
    try frame(#"{"type":"command:failed","appliance_id":"A","data":{"command_id":"\#(id)","code":"REJECTED","message":"No"},"id":"2-0"}"#)
  }

  @Test func `Of a stop that went in both ways the last failure counts, and is told once`() throws {
    var open = try stopInBothWays()
    var told = try open.take(requested("c1")) + open.take(record("c2", "requested"), of: "r")
    #expect(told.map(\.news) == [.step(.requested)])
    told = try open.take(failed("c2")) + open.take(record("c2", "failed"), of: "r")
    #expect(told.isEmpty && open.isOpen("r", as: "c1") && !open.isOpen("r", as: "c2"))
    told = try open.take(failed("c1"))
    #expect(told.map(\.news) == [.failed(CommandError(code: .rejected, message: "No"))])
  }

  @Test func `Of a stop that went in both ways the first success counts`() throws {
    var open = try stopInBothWays()
    _ = try open.take(requested("c1"))
    var told = open.refused("r", .init(rawValue: "UNREACHABLE"), "Nobody")
    #expect(told.isEmpty && open.isOpen("r", as: "c1"))
    told = try open.take(
      frame(#"{"type":"command:acknowledged","appliance_id":"A","data":{"command_id":"c1","message":"Stopped"},"id":"3-0"}"#))
    #expect(told.last?.news == .acknowledged(Acknowledgement(commandID: "c1", message: "Stopped")))
  }

  @Test func `A stop that no way is left to fails with what was told of one, whichever ended first`() throws {
    for isAPIFirst in [true, false] {
      var open = try stopInBothWays()
      let refusal = CommandError(code: .notPermitted, message: "No")
      let first = isAPIFirst ? open.refused("r", refusal.code, refusal.message) : open.connectionLost(hasAPI: true)
      #expect(first.isEmpty && open.isUnnamed("r"))
      let last = isAPIFirst ? open.connectionLost(hasAPI: true) : open.refused("r", refusal.code, refusal.message)
      #expect(last.map(\.news) == [.failed(refusal)])
    }
  }

  @Test func `A question that was given up may have been heard: then its outcome counts too`() throws {
    var open = OpenCommands()
    _ = open.add(.emergencyStop, requestID: "r", to: try ApplianceID("A"), over: nil)
    #expect(open.isUnnamed("r"))
    // The API was asked twice, and has answered once.
    _ = try open.take(requested("c1")) + open.take(record("c2", "sent"), of: "r")
    #expect(!open.isUnnamed("r"))
    let told = [try open.take(failed("c1")), try open.take(failed("c2"))]
    #expect(told.map(\.count) == [0, 1])
  }

  @Test(arguments: ["APPLIANCE_NOT_FOUND", "TEMPORARILY_UNAVAILABLE"])
  func `An error of the appliance ends what was not heard of`(code: String) throws {
    var open = OpenCommands()
    _ = open.add(.cookingPause, requestID: "r", to: try ApplianceID("A"), over: 1)
    let told = try open.take(frame(#"{"type":"error","appliance_id":"A","data":{"code":"\#(code)","message":"No"}}"#))
    #expect(told.map(\.news) == [.failed(CommandError(code: .init(rawValue: code), message: "No"))])
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
