import Foundation
import Models
import Testing

/// The example messages of the signaling document, as files.
private enum SignalingFixture {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/signaling")

  static func text(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: folder.appending(path: "\(name).json"))) }
  static func message(_ name: String) throws -> SignalingClientMessage { try SignalingRequest(parsing: text(name)).message }
  static func payload(_ name: String, _ member: String) throws -> [UInt8] {
    let payload = try #require(try JSONObject(parsing: text(name)).object("payload"))
    return Array(try #require(payload.raw(member)))
  }

  static func meaning(_ text: some Sequence<UInt8>) throws -> NSDictionary {
    try #require(JSONSerialization.jsonObject(with: Data(text)) as? NSDictionary)
  }
}

@Suite struct SignalingTests {
  private static let session = "550e8400-e29b-41d4-a716-446655440000"

  private func session() throws -> WatchID { try #require(WatchID(Self.session)) }

  @Test func `Every message of the document that a client sends is understood`() throws {
    let id = try session()
    let expected: [(String, SignalingClientMessage)] = [
      ("device.hello", .hello(try hello(device: "kitchen-cam-001"))),
      ("viewer.hello", .hello(try hello(token: "eyJ0eXAiOiJKV1QiLCJhbGc..."))),
      ("heartbeat", .heartbeat), ("viewer.watch_request", .watchRequest(device: "kitchen-cam-001")),
      ("signal_offer", .offer(id, sdp: try SignalingFixture.payload("signal_offer", "sdp"))),
      ("signal_answer", .answer(id, sdp: try SignalingFixture.payload("signal_answer", "sdp"))),
      ("signal_ice", .candidate(id, try SignalingFixture.payload("signal_ice", "candidate"))),
      ("signal_ice.null", .candidate(id, Array("null".utf8))), ("end_watch", .endWatch(id)),
    ]
    for (name, message) in expected { #expect(try SignalingFixture.message(name) == message, "\(name)") }
    guard case .presence(let data) = try SignalingFixture.message("device_presence") else {
      Issue.record("device_presence was read as something else")
      return
    }
    #expect(try SignalingFixture.meaning(data) == ["battery": 85, "temperature": 45, "recording": false])
    #expect(try SignalingRequest(parsing: SignalingFixture.text("viewer.watch_request")).requestID == "req-001")
    #expect(try SignalingRequest(parsing: SignalingFixture.text("heartbeat")).requestID == nil)
  }

  @Test func `Every message of the document that the server sends is sent so`() throws {
    let (id, device) = (try session(), try ApplianceID("kitchen-cam-001"))
    let stun = ICEServer(urls: ["stun:stun.l.google.com:19302"])
    let udp = "turn:turn.example.com:3478?transport=udp"
    let deviceTurn = ICEServer(
      urls: [udp, "turn:turn.example.com:3478?transport=tcp"],
      credential: .init(username: "1735740000:device_550e8400", password: "a1b2c3d4e5f6..."))
    let viewerTurn = ICEServer(urls: [udp], credential: .init(username: "1735740000:viewer_123_550e8400", password: "f6e5d4c3b2a1..."))
    let messages: [(String, SignalingServerMessage)] = [
      ("device.hello_ack", .deviceHelloAck(device)), ("viewer.hello_ack", .viewerHelloAck(userID: "123")), ("heartbeat_ack", .heartbeatAck),
      ("device.watch_request", .watchRequest(id, userID: "123", [stun, deviceTurn])), ("watch_ready", .watchReady(id, [stun, viewerTurn])),
      ("signal_offer", .offer(id, sdp: try SignalingFixture.payload("signal_offer", "sdp"))),
      ("signal_answer", .answer(id, sdp: try SignalingFixture.payload("signal_answer", "sdp"))),
      ("signal_ice", .candidate(id, try SignalingFixture.payload("signal_ice", "candidate"))),
      ("signal_ice.null", .candidate(id, Array("null".utf8))), ("watch_ended", .watchEnded(id, .viewerDisconnected)),
      ("error.offline", .error("Device is offline")), ("error", .error("Descriptive error message")),
    ]
    for (name, message) in messages {
      let example = try SignalingFixture.text(name)
      let object = try JSONObject(parsing: example)
      let now = try #require(object.string("ts").flatMap { Timestamp(iso8601: $0) })
      let encoded = message.encoded(at: now, requestID: object.string("request_id"))
      #expect(try SignalingFixture.meaning(encoded) == SignalingFixture.meaning(example), "\(name)")
    }
  }

  private func hello(device: String? = nil, token: String? = nil) throws -> SignalingHello {
    let members = [("device_id", device), ("token", token)].compactMap { name, value in value.map { "\"\(name)\":\"\($0)\"" } }
    let text = #"{"type":"hello","ts":"2025-01-01T12:34:56.789Z","payload":{"# + members.joined(separator: ",") + "}}"
    guard case .hello(let hello) = try SignalingRequest(parsing: Array(text.utf8)).message else { throw ModelError.missing("hello") }
    return hello
  }

  @Test(arguments: [
    (#"{"ts":"t","payload":{}}"#, "'type' must be a string"), (#"{"type":"heartbeat","payload":{}}"#, "'ts' must be a string"),
    (#"{"type":"heartbeat","ts":"t"}"#, "'payload' must be an object"),
    (#"{"type":"heartbeat","ts":"t","payload":[]}"#, "'payload' must be an object"),
    (#"{"type":"heartbeat","ts":1,"payload":{}}"#, "'ts' must be a string"),
    (#"{"type":"dance","ts":"t","payload":{}}"#, "Unknown message type 'dance'"),
    (#"{"type":"signal_offer","ts":"t","payload":{"session_id":"x","sdp":{}}}"#, "Session not found"),
    (#"{"type":"watch_request","ts":"t","payload":{"device_id":7}}"#, "'payload.device_id' must be a string"),
    (#"{"type":"hello","ts":"t","payload":{"token":{}}}"#, "'payload.token' must be a string"),
    (#"{"type":"hello","ts":"t","payload":{"features":"ice_servers"}}"#, "'payload.features' must be an array of strings"),
    (#"{"type":"hello","ts":"t","payload":{"features":["a",1]}}"#, "'payload.features' must be an array of strings"),
    ("{not json", "Malformed message: malformed JSON at byte 1"), ("[]", "Malformed message: not a JSON object"),
  ])
  func `A message that is not as the document has it is refused by name`(text: String, message: String) {
    #expect(throws: SignalingRejection(message)) { try SignalingRequest(parsing: Array(text.utf8)) }
  }

  @Test func `Descriptions and candidates are objects within bounds`() throws {
    func refusal(_ payload: String, type: String) -> String? {
      let text = #"{"type":"\#(type)","request_id":"r","ts":"t","payload":{"session_id":"\#(Self.session)",\#(payload)}}"#
      do throws(SignalingRejection) {
        _ = try SignalingRequest(parsing: Array(text.utf8))
        return nil
      } catch {
        #expect(error.requestID == "r")
        return error.message
      }
    }
    for sdp in [#""v=0""#, "null", "[]", "7"] {
      #expect(refusal("\"sdp\":\(sdp)", type: "signal_offer") == "'payload.sdp' must be an object")
    }
    for candidate in [#""candidate:1""#, "[]", "false"] {
      #expect(refusal("\"candidate\":\(candidate)", type: "signal_ice") == "'payload.candidate' must be an object or null")
    }
    func object(_ length: Int) -> String { #"{"a":"\#(String(repeating: "x", count: length - 8))"}"# }
    #expect(refusal("\"sdp\":\(object(65_536))", type: "signal_answer") == nil)
    #expect(refusal("\"sdp\":\(object(65_537))", type: "signal_answer") == "'payload.sdp' must have at most 65536 bytes")
    #expect(refusal("\"candidate\":\(object(4096))", type: "signal_ice") == nil)
    #expect(refusal("\"candidate\":\(object(4097))", type: "signal_ice") == "'payload.candidate' must have at most 4096 bytes")
  }

  @Test func `Features are the names in the hello`() throws {
    let text = #"{"type":"hello","ts":"t","payload":{"device_id":"a","features":["ice_servers","\u0041",  "c"]}}"#
    guard case .hello(let hello) = try SignalingRequest(parsing: Array(text.utf8)).message else {
      Issue.record("no hello")
      return
    }
    #expect(hello.features == ["ice_servers", "A", "c"])
  }

  @Test func `A session's id is a UUID that tells the shard of its device`() throws {
    var generator = SystemRandomNumberGenerator()
    for number in 0..<100 {
      let device = try ApplianceID("cam-\(number)")
      let id = WatchID(device: device, random: (generator.next(), generator.next()))
      #expect(UUID(uuidString: id.text)?.uuidString.lowercased() == id.text)
      #expect(id.text.dropFirst(14).first == "4")
      #expect(id.shard == Bus.shard(of: device))
      #expect(WatchID(id.text.uppercased()) == id)
    }
    for text in [
      "", "x", "550e8400-e29b-41d4-a716-44665544000g", "550e8400e29b41d4a716446655440000", "550e8400-e29b-41d4-a716-4466554400000",
    ] {
      #expect(WatchID(text) == nil)
    }
  }
}
